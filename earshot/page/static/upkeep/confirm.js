// Asks before something that cannot be undone: says what goes, and has the reader type a word.
import { attempt, element } from "../api.js";

const WORD = "remove";
const dialog = document.getElementById("confirm");

/** Ask with this heading and these sentences; `choices` are [label, action], each of which needs the word if it is `grave`. */
export function confirm(heading, sentences, choices) {
  const word = element("input", { id: "confirm-word", autocomplete: "off", autocapitalize: "off", spellcheck: false });
  const typed = choices.some(({ grave }) => grave);
  const buttons = choices.map(({ label, grave, action }) => {
    const button = element("button", { type: "button", textContent: label, disabled: Boolean(grave), className: grave ? "grave" : "" });
    button.addEventListener("click", () => attempt(async () => {
      button.disabled = true;
      try { await action(); dialog.close(); } finally { button.disabled = Boolean(grave); }
    }));
    return button;
  });
  const cancel = element("button", { type: "button", className: "plain", textContent: "Cancel" });
  cancel.addEventListener("click", () => dialog.close());
  word.addEventListener("input", () => {
    for (const [index, { grave }] of choices.entries()) {
      if (grave) buttons[index].disabled = word.value.trim().toLowerCase() !== WORD;
    }
  });
  dialog.replaceChildren(
    element("h2", { id: "confirm-title" }, element("bdi", { textContent: heading })),
    ...sentences.map((text) => element("p", {}, element("bdi", { textContent: text }))),
    ...(typed ? [element("p", {}, element("label", { htmlFor: word.id, textContent: `To remove it, type “${WORD}”: ` }), word)] : []),
    element("p", { className: "buttons" }, ...buttons, cancel));
  dialog.showModal();
}

/** What a removal deletes, in sentences. */
export function traces({ videos, audio_s, words, passages, corrections, enrolments }) {
  const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
  const minutes = Math.round(audio_s / 60);
  const goes = [counted(videos, "video"), minutes > 120 ? counted(Math.round(minutes / 60), "hour") + " of audio" : counted(minutes, "minute") + " of audio",
    counted(words, "word"), counted(passages, "passage"), ...(corrections ? [counted(corrections, "correction")] : [])];
  const stays = enrolments ? [`${counted(enrolments, "recording")} of people from there stay enrolled.`] : [];
  return [`This deletes ${goes.join(", ")}, with speakers and voice vectors. It cannot be undone.`, ...stays];
}
