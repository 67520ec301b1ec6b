import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import type { Item } from "./registry.ts";

interface ListState {
	items: Item[];
	lastId: number;
	version: number;
}

type Api = { Bindings: { list: ListState } };

const BODY_BYTES_MAX = 4_096;
const ITEMS_MAX = 1_000;
const TEXT_MAX = 200;

/** One router for all lists; the list it works on comes with each request. */
export const api = new Hono<Api>();

api.use(bodyLimit({ maxSize: BODY_BYTES_MAX, onError: () => refuse(413, "body too large") }));

api.get("/items", (c) => {
	const tag = etag(c.env.list);
	if (c.req.header("if-none-match") === tag) return c.body(null, 304);
	return c.json(c.env.list.items, 200, { etag: tag });
});

api.post("/items", async (c) => {
	const { text } = await itemIn(c);
	if (text === undefined) refuse(400, "text is missing");
	const { list } = c.env;
	if (list.items.length >= ITEMS_MAX) refuse(409, `a list has at most ${ITEMS_MAX} items`);
	list.lastId += 1;
	const item = { id: list.lastId, text, done: false };
	list.items.push(item);
	list.version += 1;
	return c.json(item, 201, { etag: etag(list), location: `items/${item.id}` });
});

api.patch("/items/:id", async (c) => {
	const change = await itemIn(c);
	const { list } = c.env;
	// Who says which version they saw does not overwrite what they did not see.
	const seen = c.req.header("if-match");
	if (seen !== undefined && seen !== etag(list)) refuse(412, "the list has changed meanwhile");
	const index = indexOf(c);
	const item = { ...list.items[index]!, ...change };
	list.items[index] = item;
	list.version += 1;
	return c.json(item, 200, { etag: etag(list) });
});

api.delete("/items/:id", (c) => {
	c.env.list.items.splice(indexOf(c), 1);
	c.env.list.version += 1;
	return c.body(null, 204);
});

api.notFound(() => refuse(404, "there is nothing here"));
api.onError((error, c) => {
	// What is not ours to explain is the runtime's to log and mask.
	if (!(error instanceof HTTPException)) throw error;
	return c.json({ error: error.message }, error.status);
});

function refuse(status: 400 | 404 | 409 | 412 | 413, message: string): never {
	throw new HTTPException(status, { message });
}

function etag({ version }: ListState): string {
	return `"${version}"`;
}

function indexOf(c: Context<Api>): number {
	const index = c.env.list.items.findIndex(({ id }) => `${id}` === c.req.param("id"));
	return index === -1 ? refuse(404, "there is no such item") : index;
}

async function itemIn(c: Context<Api>): Promise<{ text?: string; done?: boolean }> {
	const body: unknown = await c.req.json().catch(() => refuse(400, "the body is not JSON"));
	if (typeof body !== "object" || body === null) refuse(400, "the body is no object");
	const { text, done } = body as Record<string, unknown>;
	if (text !== undefined && (typeof text !== "string" || !text.trim() || text.length > TEXT_MAX)) {
		refuse(400, `text has 1 to ${TEXT_MAX} characters`);
	}
	if (done !== undefined && typeof done !== "boolean") refuse(400, "done is true or false");
	return { ...(text !== undefined ? { text } : {}), ...(done !== undefined ? { done } : {}) };
}
