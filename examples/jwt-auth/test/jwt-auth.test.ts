import { join } from "node:path";
import { eventually, exampleServer } from "example-support/server";
import { expectTranscript } from "example-support/transcript";
import { SignJWT } from "jose";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { registry } from "../src/registry.ts";
import { issueToken, type Session } from "../src/tokens.ts";

const JWT_SECRET = "a secret of this test, and of no other";
process.env.JWT_SECRET = JWT_SECRET;
const server = exampleServer(join(import.meta.dirname, ".."), { JWT_SECRET });
let client: ReturnType<typeof createClient<typeof registry>>;
beforeAll(() => {
	client = createClient<typeof registry>(server.url);
});
afterAll(() => client.dispose());

const HOUR = 3_600_000;
const token = (session: Partial<Session> = {}) =>
	issueToken({
		user: "ada",
		role: "admin",
		project: "test",
		expiresAt: Date.now() + HOUR,
		...session,
	});
const project = (token: string) => client.project.getOrCreate(["test"], { params: { token } });

it("does what its README shows", () => expectTranscript(server));

it("takes no token but a valid one for the project, for calls and connections", async () => {
	const key = (secret: string) => new TextEncoder().encode(secret);
	const jwt = (claims: object) =>
		new SignJWT({ role: "admin", project: "test", ...claims })
			.setProtectedHeader({ alg: "HS256" })
			.setSubject("eve")
			.setIssuer("https://login.example")
			.setExpirationTime("1h");
	const [header, payload] = (await token()).split(".");
	const none = Buffer.from('{"alg":"none"}').toString("base64url");
	const refused = {
		unauthorized: [
			await jwt({}).setAudience("projects").sign(key("another secret of the same length, or so")),
			await jwt({}).setAudience("another service").sign(key(JWT_SECRET)),
			await jwt({ role: "root" }).setAudience("projects").sign(key(JWT_SECRET)),
			`${none}.${payload}.`,
			`${header}.${payload}.`,
			"",
		],
		token_expired: [await token({ expiresAt: Date.now() - 1_000 })],
		forbidden: [await token({ project: "another" })],
	};
	for (const [code, tokens] of Object.entries(refused)) {
		for (const token of tokens) {
			await expect(project(token).list(), token).rejects.toMatchObject({ code });
			const connection = project(token).connect();
			connection.onError(() => {});
			await expect(connection.list(), token).rejects.toMatchObject({ code });
			await connection.dispose();
		}
	}
	const none_ = client.project.getOrCreate(["test"]);
	await expect(none_.list()).rejects.toMatchObject({ code: "unauthorized" });
});

it("lets each role do what is its, and no more", async () => {
	const [viewer, editor, admin] = await Promise.all(
		(["viewer", "editor", "admin"] as const).map(async (role) => project(await token({ role }))),
	);
	await expect(viewer?.add("no")).rejects.toMatchObject({ code: "forbidden" });
	expect(await editor?.add("yes")).toEqual({ by: "ada", text: "yes" });
	expect(await viewer?.list()).toEqual([{ by: "ada", text: "yes" }]);
	await expect(editor?.clear()).rejects.toMatchObject({ code: "forbidden" });
	await expect(admin?.endSession("another's")).rejects.toMatchObject({ code: "forbidden" });

	const [curious, auditor] = [editor?.connect(), admin?.connect()];
	const refusals: string[] = [];
	curious?.onError((error) => refusals.push(error.code));
	const heard: unknown[] = [];
	curious?.on("audit", (entry) => heard.push(entry));
	auditor?.on("audit", (entry) => heard.push(entry));
	await eventually(() => expect(refusals).toEqual(["forbidden"]));
	await auditor?.clear();
	await eventually(() => expect(heard).toEqual([{ user: "ada", did: "clear" }]));
	await Promise.all([curious?.dispose(), auditor?.dispose()]);
});

it("ends a connection with its token, and takes it back with a new one", async () => {
	// Tokens end at whole seconds; a busy machine takes some to connect.
	const expiresAt = Math.ceil(Date.now() / 1_000 + 5) * 1_000;
	const tokens = [await token({ expiresAt }), await token()];
	let connected = 0;
	const connection = client.project
		.getOrCreate(["test"], { getParams: () => ({ token: tokens.shift() ?? "" }) })
		.connect();
	connection.onOpen(() => {
		connected += 1;
	});
	await connection.list();
	await eventually(() => expect(connected).toBe(2));
	expect(Date.now()).toBeGreaterThanOrEqual(expiresAt);
	expect(tokens).toEqual([]);
	await connection.list();
	await connection.dispose();
});
