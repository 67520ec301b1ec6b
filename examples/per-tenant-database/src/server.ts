import { readFile } from "node:fs/promises";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { rolldown } from "rolldown";
import { registry } from "./actors.ts";

const here = import.meta.dirname;
const page = await readFile(`${here}/page.html`, "utf8");
const script = await bundle(`${here}/page.ts`);

const app = new Hono();
app.get("/", (c) => c.html(page));
app.get("/page.js", (c) => c.body(script, 200, { "content-type": "text/javascript" }));
app.all("/api/rivet/*", (c) => registry.handler(c.req.raw));

const port = Number(process.env.PORT ?? 3000);
serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }, () => {
	console.log(`Customers at http://127.0.0.1:${port}/?tenant=acme (and ?tenant=globex)`);
});

/** The page's script with `rivetkit/client` in it, for browsers. */
async function bundle(input: string): Promise<string> {
	const build = await rolldown({ input, platform: "browser" });
	const { output } = await build.generate({ format: "esm", minify: true });
	await build.close();
	return output[0].code;
}
