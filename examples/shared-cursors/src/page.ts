import { createClient } from "rivetkit/client";
import type { Cursor, Note, Point, registry } from "./registry.ts";

/** A cursor is sent at most this often: 30 times a second look smooth. */
const MOVE_INTERVAL_MS = 33;

const query = new URLSearchParams(location.search);
const name = query.get("name") ?? `Guest ${Math.floor(Math.random() * 100)}`;

const element = (id: string) => document.getElementById(id) as HTMLElement;
const board = element("board");
const text = element("text") as HTMLInputElement;
const cursors = new Map<string, HTMLElement>();
let me = "";

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const client = createClient<typeof registry>();
const connection = client.board
	.getOrCreate([query.get("board") ?? "main"], { params: { name } })
	.connect();

connection.on("moved", showCursor);
connection.on("left", hideCursor);
connection.on("noted", showNote);
connection.onError(showError);
connection.onStatusChange((status) => {
	element("status").textContent = status;
	element("status").dataset.status = status;
});
// Also after a reconnect: this is another connection then, and others may have come and gone.
connection.onOpen(async () => {
	const seen = await connection.look().catch(showError);
	if (!seen) return;
	me = seen.me;
	cursors.clear();
	board.replaceChildren();
	seen.notes.forEach(showNote);
	seen.cursors.forEach(showCursor);
	showPeople();
});

let next: Point | null = null;
board.addEventListener("pointermove", (event) => {
	if (!next) setTimeout(sendMove, MOVE_INTERVAL_MS);
	next = position(event);
});

function sendMove(): void {
	if (next && connection.connStatus === "connected")
		connection.move(next.x, next.y).catch(showError);
	next = null;
}

board.addEventListener("click", (event) => {
	const { x, y } = position(event);
	if (text.value.trim() === "") return text.focus();
	connection.note(x, y, text.value).catch(showError);
	text.value = "";
});

element("form").addEventListener("submit", (event) => {
	event.preventDefault();
	if (text.value.trim() === "") return;
	connection.note(0.4, 0.4, text.value).catch(showError);
	text.value = "";
});

function position({ clientX, clientY }: MouseEvent): Point {
	const { left, top, width, height } = board.getBoundingClientRect();
	const part = (length: number, whole: number) => Math.min(1, Math.max(0, length / whole));
	return { x: part(clientX - left, width), y: part(clientY - top, height) };
}

function place(child: HTMLElement, { x, y }: Point): void {
	child.style.setProperty("--x", `${x}`);
	child.style.setProperty("--y", `${y}`);
	if (child.parentElement !== board) board.append(child);
}

function showCursor(cursor: Cursor): void {
	if (cursor.id === me) return;
	const shown = cursors.get(cursor.id) ?? newCursor(cursor);
	place(shown, cursor);
}

function newCursor({ id, name }: Cursor): HTMLElement {
	const cursor = document.createElement("div");
	cursor.className = "cursor";
	cursor.style.setProperty("--color", `oklch(52% 0.16 ${hue(id)})`);
	const label = document.createElement("span");
	label.textContent = name;
	cursor.append(label);
	cursors.set(id, cursor);
	showPeople();
	return cursor;
}

function hideCursor(id: string): void {
	cursors.get(id)?.remove();
	cursors.delete(id);
	showPeople();
}

function showNote(note: Note): void {
	const shown = document.createElement("div");
	shown.className = "note";
	const by = document.createElement("small");
	by.textContent = note.by;
	shown.append(note.text, by);
	place(shown, note);
}

function showPeople(): void {
	element("people").textContent = [
		name,
		...[...cursors.values()].map((cursor) => cursor.textContent),
	].join(", ");
}

function showError(error: Error): void {
	element("error").textContent = error.message;
}

/** The same colour for the same connection in every page. */
function hue(id: string): number {
	return [...id].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) % 360, 0);
}
