import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { testEngine } from "../helpers/engine.ts";
import { exchange } from "../helpers/raw-http.ts";

const SCRIPT = `document.title = "${"x".repeat(2_000)}";`;

let folder: string;

beforeEach(async () => {
	folder = await mkdtemp(join(tmpdir(), "pages-"));
	await mkdir(join(folder, "app", "assets"), { recursive: true });
	await writeFile(join(folder, "secret.txt"), "not for the web");
	await writeFile(join(folder, "app", "index.html"), "<!doctype html><p>Hello</p>");
	await writeFile(join(folder, "app", "assets", "main-1a2b.js"), SCRIPT);
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const withPages = () => testEngine({ pagesFolder: () => join(folder, "app") });

describe("pages below /ui", () => {
	test("are served with a policy that lets nothing else in, at any base path", async () => {
		await using t = withPages();
		const at = (path: string) =>
			t.engine.fetch(new Request(`http://host${path}`), { basePath: "/api" });
		const page = await at("/api/ui/?theme=dark");
		expect(await page.text()).toContain("Hello");
		expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
		expect(page.headers.get("cache-control")).toBe("no-cache");
		const policy = page.headers.get("content-security-policy");
		expect(policy).toContain("default-src 'none'");
		expect(policy).toContain("script-src 'self'");
		expect(policy).not.toContain("unsafe");
		expect(page.headers.get("x-content-type-options")).toBe("nosniff");
		const asset = await at("/api/ui/assets/main-1a2b.js");
		expect(asset.headers.get("cache-control")).toContain("immutable");
		expect(asset.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
		expect(await asset.text()).toBe(SCRIPT);
	});

	test("lead from /ui to their folder, by an address that is right behind a proxy, too", async () => {
		await using t = withPages();
		const answer = await t.engine.fetch(new Request("http://host/api/ui?x=1"), {
			basePath: "/api",
		});
		expect(answer.status).toBe(308);
		const location = answer.headers.get("location")!;
		expect(new URL(location, "http://host/api/ui").href).toBe("http://host/api/ui/?x=1");
	});

	test("are compressed for those who take it", async () => {
		await using t = withPages();
		const answer = await t.engine.fetch(
			new Request("http://host/ui/assets/main-1a2b.js", {
				headers: { "accept-encoding": "br, gzip" },
			}),
		);
		expect(answer.headers.get("content-encoding")).toBe("gzip");
		expect(answer.headers.get("vary")).toContain("Accept-Encoding");
		const bytes = Buffer.from(await answer.arrayBuffer());
		expect(bytes.byteLength).toBeLessThan(SCRIPT.length);
		expect(gunzipSync(bytes).toString()).toBe(SCRIPT);
	});

	test.each([
		"/ui/../secret.txt",
		"/ui/%2e%2e/secret.txt",
		"/ui/..%2fsecret.txt",
		"/ui//etc/passwd",
		"/ui/nothing.js",
		"/uix",
	])("hold nothing from outside of their folder: %s", async (path) => {
		await using t = withPages();
		const { port } = await t.engine.listen({ port: 0 });
		const answer = await exchange(
			port,
			`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
		);
		expect(answer).toMatch(/^HTTP\/1\.1 404 /);
		expect(answer).not.toContain("not for the web");
	});

	test("are read only", async () => {
		await using t = withPages();
		const answer = await t.engine.fetch(new Request("http://host/ui/", { method: "POST" }));
		expect(answer.status).toBe(405);
		expect(answer.headers.get("allow")).toBe("GET, HEAD");
	});

	test("say how to build them where they are not there, and are found once they are", async () => {
		await rm(join(folder, "app"), { recursive: true });
		await using t = withPages();
		const before = await t.engine.fetch(new Request("http://host/ui/"));
		expect(before.status).toBe(404);
		expect(await before.text()).toContain("npm run build");
		await mkdir(join(folder, "app"));
		await writeFile(join(folder, "app", "index.html"), "built");
		expect(await (await t.engine.fetch(new Request("http://host/ui/"))).text()).toBe("built");
	});

	test("are not there unless asked for, and leave what belongs to actors alone", async () => {
		await using none = testEngine();
		expect((await none.engine.fetch(new Request("http://host/ui/"))).status).toBe(404);
		await using t = withPages();
		const actorId = await t.create();
		const headers = { "x-rivet-target": "actor", "x-rivet-actor": actorId };
		const answer = await t.engine.fetch(new Request("http://host/ui/", { headers }));
		expect(await answer.text()).toBe("GET /ui/");
	});
});
