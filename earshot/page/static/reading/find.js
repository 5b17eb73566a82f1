// Find in page: the matches of a text in the transcript, marked as whole words, one after another.

export class Find {
  constructor(transcript, box, output) {
    Object.assign(this, { transcript, box, output, matches: [], current: -1 });
    box.addEventListener("input", () => this.search());
    box.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.move(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { box.value = ""; this.search(); box.blur(); }
    });
  }

  search() {
    const wanted = this.box.value.trim().toLowerCase();
    this.current = -1;
    this.matches = wanted ? [...this.found(wanted)] : [];
    this.output.textContent = wanted ? `${this.matches.length} found` : "";
    this.mark();
    if (this.matches.length) this.move(1);
  }

  /** The paragraph and the first character of every match. */
  *found(wanted) {
    for (const [index, text] of this.transcript.texts.entries()) {
      const lower = text.toLowerCase();
      for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) yield { index, at };
    }
  }

  move(by) {
    if (!this.matches.length) return;
    this.current = (this.current + by + this.matches.length) % this.matches.length;
    this.output.textContent = `${this.current + 1} of ${this.matches.length}`;
    this.mark();
  }

  /** Mark the words of the current match. */
  mark() {
    for (const marked of this.transcript.root.querySelectorAll(".found")) marked.classList.remove("found");
    const match = this.matches[this.current];
    if (!match) return;
    this.transcript.split(match.index);
    const end = match.at + this.box.value.trim().length;
    let at = 0;
    for (const word of this.transcript.elements[match.index].querySelectorAll("[data-word]")) {
      const next = at + word.textContent.length;
      if (at < end && next > match.at) word.classList.add("found");
      at = next;
    }
    this.transcript.elements[match.index].querySelector(".found")?.scrollIntoView({ block: "center" });
  }
}
