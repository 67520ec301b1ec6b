import { createClient } from "rivetkit/client";
import type { Message, registry } from "./actors.ts";

const query = new URLSearchParams(location.search);
const room = query.get("room") ?? "lobby";
const author = query.get("author") ?? "Guest";

const element = (id: string) => document.getElementById(id) as HTMLElement;
const text = element("text") as HTMLInputElement;
element("room").textContent = `#${room}`;

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const client = createClient<typeof registry>();
const connection = client.chatRoom.getOrCreate([room], { params: { author } }).connect();

connection.on("message", show);
connection.on("presence", showPresent);
connection.onStatusChange((status) => {
	element("status").textContent = status;
	element("status").dataset.status = status;
});
connection.onError(showError);
// Also after a reconnect: what was said meanwhile is in the history.
connection.onOpen(() => {
	// Each at once: what events say after an answer is not to be lost under it.
	connection.history().then(showHistory, showError);
	connection.present().then(showPresent, showError);
});

element("form").addEventListener("submit", (event) => {
	event.preventDefault();
	const said = text.value;
	text.value = "";
	element("error").textContent = "";
	connection.say(said).catch(showError);
});

function showHistory(messages: readonly Message[]): void {
	element("history").replaceChildren();
	messages.forEach(show);
}

function show(message: Message): void {
	const line = document.createElement("li");
	const name = document.createElement("b");
	name.textContent = message.author;
	line.append(name, message.text);
	element("history").append(line);
	line.scrollIntoView();
}

function showPresent(authors: readonly string[]): void {
	element("present").textContent = authors.join(", ");
}

function showError(error: Error): void {
	element("error").textContent = error.message;
}
