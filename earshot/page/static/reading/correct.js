// Corrections where one reads: who speaks, and which words were said. Each can be undone at once.
import { ask, attempt, element, hms, tell } from "../api.js";

const dialog = document.getElementById("correct");

/** Ask who speaks in this paragraph, and for how much of the video that holds. */
export async function correctSpeaker(video, paragraph, done) {
  const people = (await ask("/people?kind=person&limit=1000")).people;
  const name = element("input", { id: "correct-name", required: true, autocomplete: "off", maxLength: 200 });
  name.setAttribute("list", "correct-people");
  const list = element("datalist", { id: "correct-people" }, ...people.map((person) => element("option", { value: person.name })));
  const scopes = [["turn", "Only here", `${video}@${hms(paragraph.start_s)}`]];
  if (paragraph.local_speaker) scopes.push(["speaker", `${paragraph.speaker} in this video`, `${video}@${paragraph.local_speaker}`]);
  if (paragraph.voice !== null) scopes.push(["voice", `${paragraph.speaker} in all videos`, `voice ${paragraph.voice}`]);
  const chosen = scopes.length - 1;
  const choices = scopes.map(([value, text], index) => element("label", {},
    element("input", { type: "radio", name: "scope", value, checked: index === chosen }), " ", text));
  open(`Who speaks at ${hms(paragraph.start_s)}?`, [element("label", { htmlFor: name.id, textContent: "Name" }), name, list,
    element("fieldset", {}, element("legend", { textContent: "Where" }), ...choices)], async (form) => {
    const [, , what] = scopes.find(([value]) => value === new FormData(form).get("scope"));
    const change = await ask("/corrections", { method: "POST", body: { action: "assign", what, person: name.value } });
    await done();
    tell(change.message, { label: "Undo", action: () => undo(`/corrections/${change.number}`, done) });
  });
}

/** Ask for the right words of this paragraph; without any, they are deleted. */
export async function correctWords(video, paragraph, done) {
  const said = paragraph.words.map((word) => word[2]).join("").trim();
  const text = element("textarea", { id: "correct-text", value: said, rows: 8 });
  open(`The words at ${hms(paragraph.start_s)}`, [element("label", { htmlFor: text.id, textContent: "Words" }), text], async () => {
    const changed = difference(paragraph.words, text.value);
    if (!changed) return;
    const made = await ask(`/videos/${encodeURIComponent(video)}/word-corrections`, { method: "POST", body: changed });
    await done();
    tell(made.message, { label: "Undo", action: () => undo(`/word-corrections/${made.number}`, done) });
  });
}

/** Show the corrections of words of this video, each with a button to undo it. */
export async function showWordCorrections(video, root, done) {
  const { corrections } = await ask(`/videos/${encodeURIComponent(video)}/word-corrections`);
  const items = corrections.map((made) => {
    const notes = [];
    if (!made.applies) notes.push("not applied: no words are there now");
    else if (made.heard_now !== made.heard) notes.push(`now heard: ${made.heard_now}`);
    const button = element("button", { type: "button", textContent: "Undo" });
    button.setAttribute("aria-label", `Undo the correction at ${hms(made.start_s)}`);
    button.addEventListener("click", () => undo(`/word-corrections/${made.number}`, done));
    return element("li", {},
      element("a", { href: `?t=${made.start_s}`, textContent: hms(made.start_s) }), " ",
      element("del", {}, element("bdi", { textContent: made.heard })), " ",
      element("ins", {}, element("bdi", { textContent: made.text })), " ", button,
      ...notes.map((note) => element("p", { className: "note", textContent: note })));
  });
  root.replaceChildren(items.length ? element("ul", { className: "corrections" }, ...items)
    : element("p", { textContent: "No words were corrected. Edit beside a paragraph corrects them." }));
}

/** The span of time whose words differ, and its new text; null if nothing does. */
export function difference(rows, text) {
  const words = joined(rows);
  const before = words.map((word) => word.text);
  const after = text.trim().split(/\s+/).filter(Boolean);
  let first = 0;
  while (first < before.length && first < after.length && before[first] === after[first]) first += 1;
  let [end, newEnd] = [before.length, after.length];
  while (end > first && newEnd > first && before[end - 1] === after[newEnd - 1]) { end -= 1; newEnd -= 1; }
  if (first === end && first === newEnd) return null;
  if (first === end) first > 0 ? (first -= 1) : (end += 1, newEnd += 1);
  // By the middles of words, so that a neighbour without length, at the border of a word, stays out.
  const middle = (word) => (word[0] + word[1]) / 2;
  return { start_s: middle(words[first].first), end_s: middle(words[end - 1].last), text: after.slice(first, newEnd).join(" ") };
}

/** The words between spaces: whisper has some, as "well-known", in several parts. */
function joined(rows) {
  const words = [];
  for (const row of rows) {
    if (words.length && !/^\s/.test(row[2])) {
      words.at(-1).text += row[2];
      words.at(-1).last = row;
    } else words.push({ text: row[2].trim(), first: row, last: row });
  }
  return words;
}

function open(heading, fields, save) {
  const form = element("form", { method: "dialog" },
    element("h2", { id: "correct-title", textContent: heading }),
    ...fields,
    element("p", { className: "buttons" },
      element("button", { type: "submit", textContent: "Save" }),
      element("button", { type: "button", className: "plain", textContent: "Cancel", id: "correct-cancel" })));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await attempt(async () => { await save(form); dialog.close(); });
  });
  dialog.replaceChildren(form);
  document.getElementById("correct-cancel").addEventListener("click", () => dialog.close());
  dialog.showModal();
}

async function undo(path, done) {
  await attempt(async () => {
    const change = await ask(path, { method: "DELETE" });
    await done();
    tell(change.message);
  });
}
