// Searches the words of a static site: loads what the question needs, and finds the passages with all of its words.
"use strict";

const MOST = 50;
const earshot = {
  loaded: new Map(), // promises by address
  wordsOf: new Map(), // by the first letters: word -> passages
  passagesOf: new Map(), // by file: [video, second, speaker, text]
  words(prefix, found) { this.wordsOf.set(prefix, found); },
  passages(file, listed) { this.passagesOf.set(file, listed); },
  about(facts) { this.facts = facts; },
};
window.earshot = earshot;

function load(address) {
  if (!earshot.loaded.has(address)) {
    earshot.loaded.set(address, new Promise((done) => {
      const script = Object.assign(document.createElement("script"), { src: address, onload: done, onerror: done });
      document.head.append(script);
    }));
  }
  return earshot.loaded.get(address);
}

const fold = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "").replaceAll("ß", "ss");
const wordsIn = (text) => fold(text).match(/[\p{L}\p{N}_]+/gu) ?? [];
const prefixOf = (word) => [...word].slice(0, 2);

// The passages with a word that begins so; null for a word that is too common to find anything.
async function placesOf(word) {
  const letters = prefixOf(word);
  await load(`words/${letters.map((letter) => letter.codePointAt(0).toString(16)).join("-")}.js`);
  const places = new Set();
  for (const [known, steps] of Object.entries(earshot.wordsOf.get(letters.join("")) ?? {})) {
    if (!known.startsWith(word)) continue;
    if (!steps.length) return null;
    let place = 0;
    for (const step of steps) places.add(place += step);
  }
  return places;
}

async function find(words) {
  let left = null;
  for (const word of words) {
    const places = await placesOf(word);
    if (places) left = left ? new Set([...left].filter((place) => places.has(place))) : places;
  }
  return [...(left ?? [])].sort((a, b) => a - b);
}

async function passage(place) {
  const file = Math.floor(place / earshot.facts.each);
  await load(`passages/${file}.js`);
  return earshot.passagesOf.get(file)[place % earshot.facts.each];
}

function marked(text, words) {
  const parts = document.createDocumentFragment();
  for (const piece of text.split(/([\p{L}\p{N}\p{M}_]+)/u)) {
    const hit = wordsIn(piece).some((word) => words.some((asked) => word.startsWith(asked)));
    parts.append(hit ? Object.assign(document.createElement("mark"), { textContent: piece }) : piece);
  }
  return parts;
}

async function item(place, words) {
  const [video, second, time, speaker, text] = await passage(place);
  const [key, title] = earshot.facts.videos[video];
  const line = document.createElement("li");
  const link = Object.assign(document.createElement("a"), { href: `videos/${key}.html#t${second}` });
  link.append(Object.assign(document.createElement("bdi"), { textContent: title }));
  const about = Object.assign(document.createElement("p"), { className: "about", textContent: `${time} ${speaker}` });
  const said = document.createElement("p");
  said.append(marked(text, words));
  line.append(link, about, said);
  return line;
}

let asked = 0;
async function search(question) {
  const turn = ++asked;
  const words = wordsIn(question).filter((word) => [...word].length > 1);
  const found = document.getElementById("found");
  document.getElementById("videos").hidden = words.length > 0;
  if (!words.length) {
    document.getElementById("hits").replaceChildren();
    found.textContent = "";
    return;
  }
  await load("about.js");
  const places = await find(words);
  const items = await Promise.all(places.slice(0, MOST).map((place) => item(place, words)));
  if (turn !== asked) return; // something else was typed meanwhile
  document.getElementById("hits").replaceChildren(...items);
  const first = places.length > MOST ? `; the first ${MOST}` : "";
  found.textContent = places.length === 1 ? "1 passage" : `${places.length} passages${first}`;
}

const form = document.getElementById("search");
form.elements.q.value = new URLSearchParams(location.search).get("q") ?? "";
form.addEventListener("input", () => search(form.elements.q.value));
form.addEventListener("submit", (event) => event.preventDefault());
search(form.elements.q.value);
