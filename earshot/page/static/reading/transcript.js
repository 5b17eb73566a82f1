// The transcript: paragraphs as text; the words of a paragraph become elements when it comes near the window, so that three hours
// of speech open at once. Knows nothing of sound.
import { element, hms } from "../api.js";

// Whisper's probability below which a word counts as doubted.
const DOUBTED = 0.5;
const [START, END, TEXT, PROBABILITY] = [0, 1, 2, 3];

export class Transcript {
  onWord = () => {};
  onSpeaker = () => {};
  onEdit = () => {};

  constructor(root) {
    this.root = root;
    this.paragraphs = [];
    this.texts = [];
    this.observer = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) this.split(Number(entry.target.dataset.index));
    }, { rootMargin: "600px" });
    root.addEventListener("click", (event) => this.clicked(event));
  }

  /** Show this answer of /transcript. */
  show({ paragraphs, overlaps, language }) {
    this.observer.disconnect();
    this.paragraphs = paragraphs;
    this.overlaps = overlaps;
    this.texts = paragraphs.map((paragraph) => paragraph.words.map((word) => word[TEXT]).join("").trim());
    this.splitted = new Set();
    this.elements = paragraphs.map((paragraph, index) => this.paragraph(paragraph, index, language));
    const nothing = element("p", { className: "note", textContent: "Nothing was said, or nothing was understood." });
    this.root.replaceChildren(...(this.elements.length ? this.elements : [nothing]));
    this.root.setAttribute("aria-busy", "false");
    for (const made of this.elements) this.observer.observe(made);
  }

  paragraph({ start_s, speaker, person, voice }, index, language) {
    const before = this.paragraphs[index - 1];
    const same = before && before.speaker === speaker;
    const time = element("button", { type: "button", className: "time", textContent: hms(start_s), title: "Play from here" });
    const kind = person ? "person" : voice === null ? "unknown" : "voice";
    const who = element("button", { type: "button", className: `speaker ${kind}`, title: "Say who speaks" },
      element("bdi", { textContent: speaker }));
    const edit = element("button", { type: "button", className: "edit", textContent: "Edit", title: "Correct words" });
    edit.setAttribute("aria-label", `Correct the words at ${hms(start_s)}`);
    const said = element("p", { className: "said", dir: "auto", lang: language ?? "", textContent: this.texts[index] });
    return element("section", { className: same ? "paragraph same" : "paragraph", dataset: { index } },
      element("div", { className: "who" }, time, who), said, edit);
  }

  /** Make the words of a paragraph elements. */
  split(index) {
    if (this.splitted.has(index)) return;
    this.splitted.add(index);
    this.observer.unobserve(this.elements[index]);
    const corrected = new Set(this.paragraphs[index].corrected);
    const words = this.paragraphs[index].words.map((word, position) => {
      const text = position ? word[TEXT] : word[TEXT].trimStart();
      const made = element("span", { textContent: text, dataset: { word: position } });
      if (word[PROBABILITY] < DOUBTED) made.className = "doubt";
      if (corrected.has(position)) { made.className = "corrected"; made.title = "Corrected"; }
      if (this.overlaps.some(([start, end]) => start < word[END] && word[START] < end)) made.classList.add("overlap");
      return made;
    });
    this.elements[index].querySelector(".said").replaceChildren(...words);
  }

  /** The element of a word. */
  word(index, position) {
    this.split(index);
    return this.elements[index].querySelector(`[data-word="${position}"]`);
  }

  /** The paragraph and the word that is said at this time, or the last before it; null before the first. */
  at(time) {
    const index = lastBefore(this.paragraphs, (paragraph) => paragraph.start_s, time);
    if (index < 0) return null;
    return { index, position: Math.max(0, lastBefore(this.paragraphs[index].words, (word) => word[START], time)) };
  }

  showDoubted(shown) {
    this.root.classList.toggle("doubted", shown);
  }

  clicked(event) {
    const section = event.target.closest(".paragraph");
    if (!section) return;
    const paragraph = this.paragraphs[Number(section.dataset.index)];
    const word = event.target.closest("[data-word]");
    if (word && getSelection().isCollapsed) this.onWord(paragraph.words[Number(word.dataset.word)][START]);
    else if (event.target.closest(".time")) this.onWord(paragraph.start_s);
    else if (event.target.closest(".speaker")) this.onSpeaker(paragraph);
    else if (event.target.closest(".edit")) this.onEdit(paragraph);
  }
}

/** The index of the last item whose key is at most `limit`; -1 if there is none. Items are in order. */
function lastBefore(items, key, limit) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(items[middle]) <= limit + 0.001) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
