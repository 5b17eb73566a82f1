// Plays a stretch of a video's sound, and stops at its end. One at a time; its element has the class `playing` meanwhile.
import { attempt } from "./api.js";

export class ClipPlayer {
  constructor(audio) {
    Object.assign(this, { audio, element: null, end: Infinity });
    audio.addEventListener("timeupdate", () => { if (audio.currentTime >= this.end) { audio.pause(); this.end = Infinity; } });
    audio.addEventListener("pause", () => this.element?.classList.remove("playing"));
  }

  /** Play from `start` to `end` seconds; pause if this very element is playing. */
  async toggle(element, { video, start, end }) {
    if (this.element === element && !this.audio.paused) return this.audio.pause();
    this.element?.classList.remove("playing");
    this.element = element;
    element.classList.add("playing");
    const source = `/api/v1/videos/${encodeURIComponent(video)}/audio`;
    if (this.audio.getAttribute("src") !== source) this.audio.src = source;
    this.end = Number(end);
    this.audio.currentTime = Number(start);
    return attempt(() => this.audio.play());
  }
}
