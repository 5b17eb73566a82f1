// Names that are offered while one is typed: first whom the voice sounds like, with the score, then other people.
import { ask, attempt, element } from "../api.js";

const WAIT_MS = 120;

export class Offers {
  constructor(field, list) {
    Object.assign(this, { field, list, active: -1 });
    this.similar = [...list.children];
    field.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => attempt(() => this.search(field.value)), WAIT_MS);
    });
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (!option) return;
      this.choose(this.options.indexOf(option));
      field.form.requestSubmit();
    });
  }

  get options() {
    return [...this.list.children];
  }

  /** The chosen name, else what was typed. */
  get value() {
    return this.options[this.active]?.dataset.name ?? this.field.value.trim();
  }

  async search(typed) {
    const text = typed.trim().toLowerCase();
    const found = text ? (await ask(`/people?kind=person&limit=8&q=${encodeURIComponent(typed)}`)).people : [];
    if (typed !== this.field.value) return;
    const similar = this.similar.filter((option) => option.dataset.name.toLowerCase().includes(text));
    const offered = new Set(similar.map((option) => option.dataset.name));
    const others = found.filter((person) => !offered.has(person.name)).map((person) =>
      element("li", { dataset: { name: person.name } }, element("bdi", { textContent: person.name })));
    this.list.replaceChildren(...similar, ...others);
    for (const [index, option] of this.options.entries()) {
      option.id = `offer-${index}`;
      option.setAttribute("role", "option");
    }
    this.field.setAttribute("aria-expanded", String(this.options.length > 0));
    this.choose(-1);
  }

  choose(index) {
    this.active = index;
    for (const [other, option] of this.options.entries()) option.setAttribute("aria-selected", String(other === index));
    if (index < 0) this.field.removeAttribute("aria-activedescendant");
    else this.field.setAttribute("aria-activedescendant", `offer-${index}`);
  }

  /** Move by this key, if it is one of the offers'; whether it is. */
  move(event) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by && this.options.length) this.choose(Math.min(this.options.length - 1, Math.max(-1, this.active + by)));
    else if (event.key === "Escape" && this.field.value) {
      this.field.value = "";
      attempt(() => this.search(""));
    } else return false;
    event.preventDefault();
    return true;
  }
}
