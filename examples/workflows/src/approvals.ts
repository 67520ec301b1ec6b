import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { createClient } from "rivetkit/client";
import { registry } from "./approval-actors.ts";

const { url } = await registry.listen();
const client = createClient<typeof registry>(url);

const escapeHtml = (text: string) =>
	text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

async function page(): Promise<string> {
	const ids = await client.office.getOrCreate(["main"]).list();
	const rows = await Promise.all(
		ids.map(async (id) => {
			const { what, amount, status, reminders } = await client.expense.getOrCreate([id]).get();
			const buttons =
				status === "waiting"
					? `<form method="post" action="/decide/${id}"><input name="by" value="me" size="6">
					<button name="approved" value="yes">Approve</button><button name="approved" value="no">Refuse</button></form>`
					: escapeHtml(status);
			return `<tr><td>${escapeHtml(what)}<td>${amount}<td>${reminders}<td>${buttons}`;
		}),
	);
	return `<!doctype html><title>Expenses</title><style>body{font:16px system-ui;margin:2em}td,th{padding:.3em 1em;text-align:left}form{margin:0}</style>
	<h1>Expenses</h1><table><tr><th>What<th>Amount<th>Reminders<th>Decision${rows.join("")}</table>
	<h2>New</h2><form method="post" action="/expenses"><input name="what" placeholder="What" required>
	<input name="amount" type="number" value="10"><button>Hand in</button></form>`;
}

async function handle(request: IncomingMessage): Promise<string | null> {
	const path = request.url ?? "/";
	if (request.method === "GET" && path === "/") return page();
	let body = "";
	for await (const chunk of request) body += chunk;
	const form = new URLSearchParams(body);
	const [, first, id] = path.split("/");
	if (request.method === "POST" && first === "expenses") {
		const createWithInput = { what: form.get("what") ?? "", amount: Number(form.get("amount")) };
		const key = [randomUUID()];
		await client.expense.getOrCreate(key, { createWithInput }).get();
		await client.office.getOrCreate(["main"]).add(key[0]!);
		return null;
	}
	if (request.method === "POST" && first === "decide" && id) {
		const decision = { approved: form.get("approved") === "yes", by: form.get("by") ?? "nobody" };
		const options = { wait: true, timeout: 5_000 } as const;
		await client.expense.getOrCreate([id]).send("decisions", decision, options);
		return null;
	}
	throw new Error(`there is nothing at ${path}`);
}

const server = createServer((request, response) => {
	handle(request).then(
		(html) => {
			if (html === null) response.writeHead(303, { location: "/" }).end();
			else response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
		},
		(error: Error) => response.writeHead(404, { "content-type": "text/plain" }).end(error.message),
	);
});
const port = Number(process.env.PAGE_PORT ?? 3000);
server.listen(port, "127.0.0.1", () => console.log(`Approvals at http://127.0.0.1:${port}/`));
