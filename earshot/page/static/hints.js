// The dialog of hints, for a video or for a source: what is given, what applies without it, and what is out of date.
import { ask, coded, element, tell } from "./api.js";

const dialog = document.getElementById("hints-dialog");
const PLACES = [["corrections", "corrected words"], ["people", "names of people"], ["title", "the title"]];
const FIELDS = [
  { key: "speakers", label: "Speakers", help: "2, 2-4, or 2+ for two or more" },
  { key: "languages", label: "Languages", help: "en, de: whisper's codes", list: true },
  { key: "vocabulary", label: "Vocabulary", help: "names and words, separated by commas", list: true, rows: 3 },
  { key: "vocabulary_from", label: "More vocabulary from", list: true, places: true },
  { key: "prompt", label: "Prompt", help: "a text as an earlier transcript might be", rows: 2 },
];
const words = (value) => (Array.isArray(value) ? value.join(", ") : value);
const split = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);
const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

/** Show the hints of a video. */
export const showVideoHints = (key, title) => show({
  heading: `Hints for ${title}`,
  path: `/videos/${encodeURIComponent(key)}/hints`,
  target: { video: key },
  general: ({ of_source: hints }) => hints,
  giver: "Its source",
  outdated: ({ stale }) => (stale.length ? stale.join(", ").replaceAll("_", " ") : ""),
});

/** Show the hints of a source. */
export const showSourceHints = (name) => show({
  heading: `Hints for all videos of ${name}`,
  path: `/sources/hints?${new URLSearchParams({ source: name })}`,
  target: { source: name },
  general: ({ hints, own }) => Object.fromEntries(Object.entries(hints).filter(([key]) => !(key in own))),
  giver: "The file's defaults",
  outdated: ({ stale_videos: count }) => (count ? counted(count, "video") : ""),
});

async function show(of) {
  const found = await ask(of.path);
  const { own } = found;
  const general = of.general(found);
  const form = element("form", { method: "dialog", className: "hints" },
    heading(of.heading),
    element("p", { className: "about", textContent: "What you know of it, so that the transcript has it right. Leave empty what you do not know." }),
    ...FIELDS.map((field) => row(field, own[field.key], general[field.key], of.giver)),
    ...outdated(of, found),
    element("p", { className: "buttons" },
      element("button", { type: "submit", textContent: "Save" }),
      ...(Object.keys(own).length ? [button("Clear all", () => save(of, { method: "DELETE" }))] : []),
      button("Cancel", () => dialog.close(), "plain")),
    problem());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    trying(() => save(of, { method: "PUT", body: read(form) }));
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}

const heading = (text) => element("h2", { id: "hints-title" }, element("bdi", { textContent: text }));
const problem = () => element("p", { className: "bad", role: "alert", id: "hints-problem" });

/** The field of one hint; beside one that is given in general, a switch for none here. */
function row({ key, label, help = "", places, rows }, own, general, giver) {
  const none = own?.length === 0;
  const given = general?.length > 0;
  const id = `hint-${key}`;
  const input = places ? placesField(id, label, own ?? []) : rows
    ? element("textarea", { id, name: key, rows, value: words(own ?? ""), autocapitalize: "off" })
    : element("input", { id, name: key, value: words(own ?? ""), autocomplete: "off", autocapitalize: "off", spellcheck: false });
  if (help) input.setAttribute("aria-describedby", `${id}-help`);
  const without = element("input", { type: "checkbox", name: `${key}-none`, checked: none });
  without.setAttribute("aria-label", `no hint here: ${label}`);
  without.addEventListener("change", () => { input.disabled = without.checked; });
  input.disabled = none;
  const notes = [
    ...(given ? [element("span", {}, `${giver}: `, element("bdi", { textContent: words(general) }))] : []),
    ...(given || none ? [element("label", {}, without, " no hint here")] : []),
  ];
  const named = [element("label", { htmlFor: id, textContent: label }), element("span", { id: `${id}-help`, className: "count", textContent: help })];
  return element("div", {}, ...(places ? [] : named), input,
    ...(notes.length ? [element("p", { className: "about" }, ...notes)] : []));
}

const placesField = (id, label, chosen) => element("fieldset", { id }, element("legend", { textContent: label }),
  ...PLACES.map(([value, text]) => element("label", {},
    element("input", { type: "checkbox", name: "vocabulary_from", value, checked: chosen.includes(value) }), ` ${text}`)));

/** The hints of the form as JSON: a field that is empty says nothing, one with "none" says that there is no hint. */
function read(form) {
  const data = new FormData(form);
  const given = FIELDS.flatMap(({ key, list, places }) => {
    if (data.has(`${key}-none`)) return [[key, list ? [] : ""]];
    const value = places ? data.getAll(key) : list ? split(data.get(key) ?? "") : (data.get(key) ?? "").trim();
    return value.length ? [[key, value]] : [];
  });
  return Object.fromEntries(given);
}

async function save(of, request) {
  const found = await ask(of.path, request);
  const stale = outdated(of, found);
  if (!stale.length) {
    dialog.close();
    return tell("Saved. Nothing is out of date because of it.");
  }
  dialog.replaceChildren(heading("Saved"), ...stale, problem(), element("p", { className: "buttons" }, button("Close", () => dialog.close(), "plain")));
  return dialog.querySelector("button").focus();
}

/** What is out of date, with a button that has exactly that run again. */
function outdated(of, found) {
  const text = of.outdated(found);
  if (!text) return [];
  const again = button("Run again", async () => {
    const { videos, stages, up } = await ask("/backfills", { method: "POST", body: of.target });
    dialog.close();
    if (!stages.length) tell("Nothing is out of date any more.");
    else tell(`${counted(stages.length, "stage")} of ${counted(videos, "video")} ${up ? "will run again, after new uploads." : "will run again once `earshot up` runs."}`);
  });
  return [element("p", { className: "note" }, `Out of date: ${text}. `, again)];
}

function button(label, action, className = "") {
  const made = element("button", { type: "button", textContent: label, className });
  made.addEventListener("click", () => trying(action, made));
  return made;
}

/** Do something; its error is shown in the dialog, which covers the messages of the page. */
async function trying(action, pressed) {
  if (pressed) pressed.disabled = true;
  try {
    await action();
  } catch (error) {
    const shown = document.getElementById("hints-problem");
    shown.replaceChildren(...coded(error.message));
    shown.scrollIntoView({ block: "nearest" });
  } finally {
    if (pressed) pressed.disabled = false;
  }
}
