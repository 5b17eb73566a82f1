// The search page: plays passages on the spot, moves by arrows, loads the counts of the filters.
import { ask, attempt, element, typing } from "./api.js";
import { ClipPlayer } from "./clip.js";

const box = document.getElementById("q");
const audio = document.getElementById("audio");
const hits = [...document.querySelectorAll(".hit")];
const player = audio && new ClipPlayer(audio);
let chosen = -1;

function choose(index) {
  if (index < 0 || index >= hits.length) return;
  hits[chosen]?.classList.remove("chosen");
  chosen = index;
  hits[chosen].classList.add("chosen");
  hits[chosen].querySelector(".open").focus({ preventScroll: true });
  hits[chosen].scrollIntoView({ block: "nearest" });
}

function play(hit) {
  audio.hidden = false;
  player.toggle(hit, hit.dataset);
}

function showCounts(facets) {
  const groups = { speaker: facets.speakers, source: facets.sources, language: facets.languages };
  const target = document.getElementById("counts");
  const asked = new URLSearchParams(location.search);
  for (const [name, values] of Object.entries(groups)) {
    if (values.length) target.append(element("h2", { textContent: title(name) }), list(asked, values, (query, value) => query.set(name, value)));
  }
  if (facets.years.length) {
    const set = (query, year) => { query.set("since", `${year}-01-01`); query.set("until", `${year}-12-31`); };
    target.append(element("h2", { textContent: "Year" }), list(asked, facets.years, set));
  }
}

function list(asked, values, set) {
  const items = values.map(({ value, label, passages }) => {
    const query = new URLSearchParams(asked);
    query.delete("page");
    set(query, value);
    const link = element("a", { href: `/search?${query}` }, element("bdi", { textContent: label }));
    return element("li", {}, link, element("span", { className: "count", textContent: passages }));
  });
  return element("ul", { className: "counts" }, ...items);
}

const title = (name) => name[0].toUpperCase() + name.slice(1);

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && event.target === box) return box.blur();
  if (event.key === "ArrowDown" && event.target === box && hits.length) { event.preventDefault(); return choose(0); }
  if (typing(event)) return;
  const move = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (event.key === "/") { event.preventDefault(); box.focus(); box.select(); }
  else if (move && hits.length) { event.preventDefault(); chosen + move < 0 ? box.focus() : choose(chosen + move); }
  else if (event.key === "p" && hits[chosen]) hits[chosen].querySelector(".play")?.click();
});

for (const [index, hit] of hits.entries()) {
  hit.querySelector("button.play")?.addEventListener("click", () => { choose(index); play(hit); });
}
document.getElementById("scores")?.addEventListener("change", (event) => {
  for (const scores of document.querySelectorAll(".scores")) scores.hidden = !event.target.checked;
});
document.getElementById("words")?.addEventListener("change", (event) => location.assign(event.target.dataset.href));
const facets = document.getElementById("facets");
if (facets && hits.length) attempt(async () => {
  const query = new URLSearchParams(location.search);
  query.delete("page");
  showCounts(await ask(`/search/facets?${query}`));
});
