// The page of people: the next voice comes by itself, pages of the server replace parts of this one, everything works by keyboard.
import { READER, ask, attempt, element, hms, tell, typing } from "../api.js";
import { ClipPlayer } from "../clip.js";
import { forget } from "./forget.js";
import { Offers } from "./offers.js";

const player = new ClipPlayer(document.getElementById("audio"));
const leaving = new Set(); // named, but listed until the server has identified all speakers again
let changes = Promise.resolve(); // one after another, while the reader goes on
let last = null; // the last change: how to undo it, and where it was made
let offers = null;

const at = (id) => document.getElementById(id);
const chosen = () => at("chosen")?.dataset;
const field = () => at("name-field");
const links = () => [...document.querySelectorAll("#list .speakers a")];

async function read(url) {
  const answer = await fetch(url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!page.getElementById("people")) throw new Error(page.querySelector("#main .note, title").textContent);
  for (const link of page.querySelectorAll("#list .speakers a")) if (leaving.has(link.dataset.who)) link.closest("li").remove();
  return page;
}

/** Show this page of the server in place of the current one. */
async function show(url, { push = true } = {}) {
  const page = await read(url);
  at("people").replaceWith(page.getElementById("people"));
  document.title = page.title;
  if (push) history.pushState(null, "", url);
  player.audio.pause();
  if (push) scrollTo(0, 0);
  begin();
}

/** Bring the list up to date, and leave alone whom the reader is naming. */
async function refresh() {
  if (!chosen()) return again();
  const page = await read(location.href);
  at("list").replaceWith(page.getElementById("list"));
}

function begin() {
  offers = field() && new Offers(field(), at("offers"));
  if (field() && matchMedia("(hover: hover)").matches) field().focus({ preventScroll: true });
  if (at("reader")) at("reader").value = localStorage.getItem(READER) ?? "";
}

/** Show the one after this in the list; after the last, the first. */
async function advance() {
  const all = links();
  const index = all.findIndex((link) => link.getAttribute("aria-current") === "true");
  const more = document.querySelector("#list [rel=next]");
  const next = all[index + 1] ?? more ?? all.find((_, other) => other !== index);
  await show(next?.href ?? "/people");
  if (next && next === more && links().length) await show(links()[0].href);
}

/** Change something: tell what was changed, and how to undo it. `then` shows the result. */
function change(action, then) {
  const url = location.href;
  changes = changes.then(() => attempt(async () => {
    const made = await action();
    last = made.number && { number: made.number, url };
    tell(made.message, last ? { label: "Undo", action: undo } : {});
    await then(made);
  }));
  return changes;
}

/** What enters this correction of the voice that is shown now, whatever is shown when its turn comes. */
function correct(body) {
  const what = chosen().who;
  return () => ask("/corrections", { method: "POST", body: { what, ...body } });
}

/** What changes the person who is shown now. */
function changePerson(action, body) {
  const path = `${personUrl(chosen().who)}/${action}`;
  return () => ask(path, { method: "POST", body });
}

const again = () => show(location.href, { push: false });

function name(person) {
  const { who } = chosen();
  const naming = correct({ action: "assign", person });
  leaving.add(who);
  attempt(advance);
  change(naming, () => {}).finally(async () => {
    leaving.delete(who);
    await refresh().catch(advance); // this voice may have been the same person
  });
}

const undoing = (number) => () => ask(`/corrections/${number}`, { method: "DELETE" });

function undo() {
  if (!last) return tell("Nothing was changed here that could be undone.");
  const { number, url } = last;
  last = null;
  return change(undoing(number), () => show(url));
}

async function hear(button) {
  const other = button.closest("[data-other]");
  const page = await read(`/people/${other.dataset.other.replace(" ", "-")}`);
  const clips = page.querySelector("#chosen > .clips, #chosen > .note");
  other.querySelector(".heard").replaceChildren(clips);
  button.remove();
  other.querySelector(".play")?.focus();
}

async function morePlaces(button) {
  const list = document.querySelector(".places");
  const { who } = chosen();
  const { places, next } = await ask(`/people/${encodeURIComponent(who)}/videos?after=${encodeURIComponent(list.dataset.next)}`);
  for (const { video_id: id, title, published_at: published, first_s: first, seconds, decided_by: by } of places) {
    list.append(element("li", {},
      element("a", { href: `/videos/${encodeURIComponent(id)}?t=${first ?? 0}` }, element("bdi", { textContent: title || id })), " ",
      element("span", { className: "about", textContent: [published?.slice(0, 10), hms(seconds), `by ${by}`].filter(Boolean).join(" · ") })));
  }
  list.dataset.next = next ?? "";
  if (!next) button.remove();
}

async function offerKnown(list) {
  if (list.children.length) return;
  const { people } = await ask("/people?kind=person&limit=1000");
  list.append(...people.map((person) => element("option", { value: person.name })));
}

const personUrl = (who) => `/people/${encodeURIComponent(who)}`;
const actions = {
  skip: () => attempt(advance),
  hear: (button) => attempt(() => hear(button)),
  places: (button) => attempt(() => morePlaces(button)),
  merge: (button) => join(button.closest("[data-other]").dataset.other),
  separate: (button) => change(correct({ action: "separate", other: button.closest("[data-other]").dataset.other }), again),
  split: () => change(correct({ action: "split" }), again),
  forget: () => forget(at("forget"), chosen().who, () => { leaving.clear(); return advance(); }),
};

/** Merge this voice with another; whichever number stays is shown. */
function join(other) {
  const url = location.href;
  return change(correct({ action: "merge", other }), () => show(url).catch(() => show(`/people/${other.replace(" ", "-")}`)));
}

const forms = {
  name: () => { const person = offers.value; if (person) name(person); },
  exclude: (data) => change(correct({ action: "exclude", person: data.get("person") }), again),
  rename: (data) => change(changePerson("rename", { name: data.get("name") }), ({ person }) => show(personUrl(person))),
  merge: (data) => change(changePerson("merge", { into: data.get("into") }), ({ person }) => show(personUrl(person))),
};

document.addEventListener("submit", (event) => {
  if (!forms[event.target.id]) return;
  event.preventDefault();
  forms[event.target.id](new FormData(event.target));
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const link = event.target.closest("#people a[href^='/people']");
  if (button?.classList.contains("play")) player.toggle(button, button.dataset);
  else if (button?.dataset.undo) change(undoing(button.dataset.undo), again);
  else if (button && actions[button.dataset.do]) actions[button.dataset.do](button);
  else if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) { event.preventDefault(); attempt(() => show(link.href)); }
});

document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".more") && event.target.open) attempt(() => offerKnown(at("known")));
}, true);
document.addEventListener("change", (event) => { if (event.target.id === "reader") localStorage.setItem(READER, event.target.value.trim()); });

document.addEventListener("keydown", (event) => {
  const naming = event.target === field();
  if (naming && offers.move(event)) return;
  const empty = naming && !field().value;
  if (empty && event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); undo(); return; }
  if (event.target.closest?.("dialog") || (typing(event) && !empty) || event.ctrlKey || event.metaKey || event.altKey) return;
  const clip = document.querySelectorAll("#chosen > .clips .play")["123".indexOf(event.key)];
  const keys = { Escape: actions.skip, ...(empty ? {} : { s: actions.skip, u: undo, n: () => field()?.focus() }) };
  if (clip) { event.preventDefault(); player.toggle(clip, clip.dataset); }
  else if (chosen() && keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

addEventListener("popstate", () => attempt(() => show(location.href, { push: false })));
begin();
