import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import { ActorError, createClient } from "rivetkit/client";
import { registry } from "./approval-actors.ts";

const { url } = await registry.listen();
const client = createClient<typeof registry>(url);

const escapeHtml = (text: string) =>
	text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

async function page(): Promise<string> {
	const ids = await client.office.getOrCreate(["main"]).list();
	const rows = await Promise.all(
		ids.map(async (id) => {
			const { what, amount, status, reminders } = await client.expense.get([id]).get();
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

/** What is told to whoever asked for something that there is not, or that cannot be done. */
class Refusal extends Error {
	readonly status: number;

	constructor(status: number, message: string) {
		super(message);
		this.status = status;
	}
}

async function handIn(form: URLSearchParams): Promise<void> {
	const what = form.get("what")?.trim();
	const amount = Number(form.get("amount") || "none");
	if (!what) throw new Refusal(400, "what: say what the expense is for");
	if (!(Number.isFinite(amount) && amount > 0)) {
		throw new Refusal(400, "amount: a number over 0");
	}
	const key = [randomUUID()];
	await client.expense.getOrCreate(key, { createWithInput: { what, amount } }).get();
	await client.office.getOrCreate(["main"]).add(key[0]!);
}

async function decide(id: string, form: URLSearchParams): Promise<void> {
	const [approved, by] = [form.get("approved"), form.get("by")?.trim()];
	if (approved !== "yes" && approved !== "no") throw new Refusal(400, "approved: yes or no");
	if (!by) throw new Refusal(400, "by: say who decides");
	// Not getOrCreate: what somebody types into an address creates nothing.
	const expense = client.expense.get([id]);
	const assertWaiting = async () => {
		const { status } = await expense.get();
		if (status !== "waiting") throw new Refusal(409, `it is decided: ${status}`);
	};
	await assertWaiting();
	const decision = { approved: approved === "yes", by };
	const sent = await expense.send("decisions", decision, { wait: true, timeout: 30_000 });
	if (sent.status === "completed") return;
	// Somebody else was faster, or it takes longer than usual.
	await assertWaiting();
	throw new Refusal(503, "nobody has taken the decision yet: look at the page again");
}

async function handle(request: IncomingMessage): Promise<string | null> {
	const { pathname } = new URL(request.url ?? "/", "http://page");
	if (request.method === "GET" && pathname === "/") return page();
	let body = "";
	for await (const chunk of request) body += chunk;
	const form = new URLSearchParams(body);
	const [, first, id, ...rest] = pathname.split("/");
	if (request.method === "POST" && pathname === "/expenses") {
		await handIn(form);
		return null;
	}
	if (request.method === "POST" && first === "decide" && id && rest.length === 0) {
		await decide(id, form);
		return null;
	}
	throw new Refusal(404, `there is nothing at ${pathname}`);
}

function refusalOf(error: unknown): Refusal {
	if (error instanceof Refusal) return error;
	if (error instanceof ActorError && error.code === "not_found") {
		return new Refusal(404, "there is no such expense");
	}
	console.error(error);
	return new Refusal(500, "something went wrong");
}

const server = createServer((request, response) => {
	handle(request).then(
		(html) => {
			if (html === null) response.writeHead(303, { location: "/" }).end();
			else response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(html);
		},
		(error: unknown) => {
			const { status, message } = refusalOf(error);
			response.writeHead(status, { "content-type": "text/plain" }).end(`${message}\n`);
		},
	);
});
const port = Number(process.env.PAGE_PORT ?? 3000);
server.listen(port, "127.0.0.1", () => console.log(`Approvals at http://127.0.0.1:${port}/`));
