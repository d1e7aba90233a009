// The inbox page, made quick: what a link or a form leads to is fetched and put in its place, the list is kept fresh,
// and keys move through it. Without this script every link and form works as the browser has it. It asks nobody but the
// relay that it came from, and what it puts in place was escaped there.
"use strict";

const POLL = 2000; // milliseconds
const PAUSE = 150; // after a keystroke in the search
let asked = 0; // counts what the person asked for; an answer that comes after the next question is dropped
let typing; // the timer of the search

const by = (id) => document.getElementById(id);
const rows = () => [...document.querySelectorAll("#list ol a")];
const row = (key) => rows().find((one) => one.dataset.key === key);
const say = (words) => { by("status").textContent = words; };
const count = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`;

function listAddress() {
  const now = new URL(location.href);
  for (const name of [...now.searchParams.keys()]) {
    if (name !== "q" && name !== "before") now.searchParams.delete(name);
  }
  return `/inbox${now.search}`;
}

function put(fresh, parts) {
  const isElsewhere = parts.includes("pane");
  const again = holder(document.activeElement?.closest("#list a, #list summary, #list button"));
  const opened = [...document.querySelectorAll("details[open]")].map((one) => one.id);
  for (const id of parts) by(id).replaceChildren(...document.adoptNode(fresh.getElementById(id)).childNodes);
  for (const id of opened) if (!isElsewhere || id !== "clear") by(id)?.setAttribute("open", "");
  document.body.dataset.version = fresh.body.dataset.version;
  if (isElsewhere) {
    document.title = fresh.title;
    if (fresh.body.dataset.open) document.body.dataset.open = fresh.body.dataset.open;
    else delete document.body.dataset.open;
  }
  finish();
  again?.()?.focus({ preventScroll: true });
}

// How to find what has the focus once the list is another one.
function holder(held) {
  if (held?.dataset.key) return () => row(held.dataset.key);
  const around = held?.closest("details")?.id;
  return around && (() => by(around)?.querySelector(held.tagName));
}

// What a page gets after it is in place: local times, the mark of the open message, buttons for its links.
function finish() {
  const today = new Date().toDateString();
  for (const one of document.querySelectorAll("time")) {
    const when = new Date(one.dateTime);
    one.title = one.dateTime;
    one.textContent = when.toDateString() === today ? when.toLocaleTimeString() : when.toLocaleString();
  }
  for (const one of rows()) {
    if (one.dataset.key === document.body.dataset.open) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  }
  for (const one of document.querySelectorAll(".links li:not(:has(button))")) {
    const address = one.querySelector("code").textContent;
    if (/^https?:/i.test(address)) {
      one.append(button("Open", () => window.open(address, "_blank", "noopener,noreferrer")));
    }
    if (navigator.clipboard) {
      one.append(button("Copy", () => navigator.clipboard.writeText(address).then(() => say("Copied"), () => say("Not copied"))));
    }
  }
}

function button(words, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
}

async function answer(address, method) {
  try {
    const response = await fetch(address, { method });
    if (response.ok) return response;
    const isGone = response.status === 404 && /\/inbox\/\d/.test(address);
    say(isGone ? "This message is not there any more" : `The relay answers ${response.status}`);
  } catch {
    say("The relay does not answer");
  }
  return null;
}

// Go where a person wants to; whether that was reached.
async function go(address, { method = "GET", history: how = "push" } = {}) {
  const mine = ++asked;
  clearTimeout(typing);
  say("");
  const response = await answer(address, method);
  if (!response) return false;
  const text = await response.text();
  if (mine !== asked) return false;
  if (how === "push") history.pushState(null, "", response.url);
  if (how === "replace") history.replaceState(null, "", response.url);
  put(new DOMParser().parseFromString(text, "text/html"), ["list", "pane"]);
  const field = by("search").elements.q;
  if (field !== document.activeElement) field.value = new URL(location.href).searchParams.get("q") ?? "";
  return true;
}

async function refresh() {
  const mine = asked;
  const state = await answer("/inbox/state.json", "GET");
  if (!state || mine !== asked) return;
  if (by("status").textContent.startsWith("The relay")) say("");
  if ((await state.json()).version === document.body.dataset.version) return;
  const newest = Number(rows()[0]?.dataset.key ?? 0);
  const list = await answer(listAddress(), "GET");
  const text = await list?.text();
  if (!text || mine !== asked) return;
  put(new DOMParser().parseFromString(text, "text/html"), ["list"]);
  const come = rows().filter((one) => Number(one.dataset.key) > newest).length;
  if (come) say(count(come, "new message"));
}

async function watch() {
  for (;;) {
    await new Promise((done) => { setTimeout(done, POLL); });
    if (document.visibilityState === "visible") await refresh();
  }
}

async function follow(link) {
  const left = document.body.dataset.open;
  if (!(await go(link.href))) return;
  if (link.closest(".views")) document.querySelector(".views a[aria-current]")?.focus();
  else if (link.closest(".back")) row(left)?.focus();
  else if (link.dataset.key) by("opened")?.focus();
}

async function remove(key, address) {
  const place = rows().findIndex((one) => one.dataset.key === key);
  if (!(await go(address, { method: "POST" }))) return;
  say("Deleted");
  (rows()[Math.min(Math.max(place, 0), rows().length - 1)] ?? by("search").elements.q).focus();
}

function search() {
  const words = by("search").elements.q.value;
  const mine = new URL("/inbox", location.href);
  if (words.trim()) mine.searchParams.set("q", words);
  return go(mine.href, { history: "replace" });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  void follow(link);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  if (form.id === "search") {
    if (await search()) rows()[0]?.focus();
  } else {
    await remove(document.body.dataset.open, form.action);
  }
});

by("search").elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, PAUSE);
});

function toSearch() {
  by("search").elements.q.focus();
  by("search").elements.q.select();
}

function move(step) {
  const all = rows();
  const focused = document.activeElement;
  const at = all.indexOf(focused.closest("#list a") ?? (focused.matches("input") ? null : row(document.body.dataset.open)));
  if (step < 0 && at === 0) toSearch();
  else all[Math.min(at + step, all.length - 1)]?.focus();
}

function back() {
  const link = document.querySelector(".back a");
  if (link) void follow(link);
}

function drop() {
  const key = document.activeElement.closest("#list a")?.dataset.key ?? document.body.dataset.open;
  if (key) void remove(key, `/inbox/${key}/delete${new URL(listAddress(), location.href).search}`);
}

// Keys do what the page says under "Keys"; in a field they are for the field, and in a message the arrows scroll.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const inField = event.target.matches("input");
  const inMessage = Boolean(event.target.closest("#pane"));
  const act = {
    "/": inField ? null : toSearch,
    ArrowDown: inMessage ? null : () => move(1),
    ArrowUp: inMessage || inField ? null : () => move(-1),
    Escape: inField ? null : back,
    Delete: inField ? null : drop,
  }[event.key] ?? (/^[1-5]$/.test(event.key) && !inField ? () => document.querySelectorAll(".views a")[event.key - 1]?.click() : null);
  if (!act) return;
  event.preventDefault();
  act();
});

window.addEventListener("popstate", () => { void go(location.href, { history: "none" }); });
finish();
void watch();
