// The player in step with the transcript: marks the word that is said, and follows it unless the reader scrolls.

export class Player {
  constructor(audio, transcript, button) {
    Object.assign(this, { audio, transcript, button, marked: null, following: true });
    audio.addEventListener("timeupdate", () => this.mark());
    audio.addEventListener("seeked", () => this.mark());
    audio.addEventListener("play", () => this.step());
    button.addEventListener("click", () => this.follow(!this.following));
    for (const event of ["wheel", "touchmove"]) addEventListener(event, () => this.follow(false), { passive: true });
    addEventListener("keydown", (event) => {
      if (["PageDown", "PageUp", "Home", "End", "ArrowDown", "ArrowUp"].includes(event.key)) this.follow(false);
    });
  }

  get time() {
    return this.wanted ?? this.audio.currentTime;
  }

  set rate(rate) {
    this.audio.playbackRate = rate;
  }

  toggle() {
    if (this.audio.paused) this.audio.play();
    else this.audio.pause();
  }

  /** Go to this second; before the sound is known, it is remembered. */
  seek(seconds) {
    const target = Math.max(0, seconds);
    this.follow(true);
    if (this.audio.readyState >= HTMLMediaElement.HAVE_METADATA) this.audio.currentTime = target;
    else {
      this.wanted = target;
      this.audio.addEventListener("loadedmetadata", () => {
        this.audio.currentTime = this.wanted;
        this.wanted = undefined;
      }, { once: true });
    }
    this.mark(target);
  }

  playFrom(seconds) {
    this.seek(seconds);
    this.audio.play();
  }

  follow(following) {
    this.following = following;
    this.button.setAttribute("aria-pressed", String(following));
    if (following) this.mark();
  }

  /** Mark the word at this time, by default the current one. */
  mark(time = this.time) {
    const at = this.transcript.at(time);
    if (!at) return;
    const word = this.transcript.word(at.index, at.position);
    if (word === this.marked) return;
    this.marked?.classList.remove("now");
    this.marked?.closest(".paragraph")?.classList.remove("now");
    word.classList.add("now");
    word.closest(".paragraph").classList.add("now");
    this.marked = word;
    if (this.following) word.scrollIntoView({ block: "center" });
  }

  /** More often than `timeupdate`, which comes four times a second. */
  step() {
    if (this.audio.paused) return;
    this.mark();
    requestAnimationFrame(() => this.step());
  }
}
