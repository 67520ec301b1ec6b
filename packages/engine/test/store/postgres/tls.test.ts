// Connections to a PostgreSQL that takes no other than encrypted ones (engine 8: postgres.ssl).
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { PostgresServer } from "../../../../../scripts/lib/postgres-server.ts";
import type { PostgresTls } from "../../../src/store/postgres/connection-settings.ts";
import { openPostgresStore } from "../../../src/store/postgres/open-postgres-store.ts";
import { acquiredActor } from "../fixtures.ts";
import { Authority } from "./certificates.ts";

const authority = new Authority("an authority");
const another = new Authority("another authority");
const server = authority.issue("postgres", ["127.0.0.1"]);
const client = authority.issue("postgres");
let folder: string;
let postgres: PostgresServer;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), "rivetkit-tls-"));
	for (const [name, content] of Object.entries({
		"root.pem": authority.cert,
		"another.pem": another.cert,
		"client.pem": client.cert,
		"client.key": client.key,
	})) {
		await writeFile(join(folder, name), content);
	}
	postgres = await PostgresServer.start({
		files: {
			"server.pem": server.cert,
			"server.key": server.key,
			"root.pem": authority.cert,
			// The database `template1` is for those who show a certificate.
			hba: [
				"hostssl template1 all 127.0.0.1/32 trust clientcert=verify-ca",
				"hostssl postgres all 127.0.0.1/32 trust",
			].join("\n"),
		},
		settings: {
			ssl: "on",
			ssl_cert_file: "../server.pem",
			ssl_key_file: "../server.key",
			ssl_ca_file: "../root.pem",
			hba_file: "hba",
		},
	});
});
afterAll(async () => {
	await postgres?.[Symbol.asyncDispose]();
	await rm(folder, { recursive: true, force: true });
});

const pem = (name: string) => join(folder, name);

async function open(url: string, ssl?: PostgresTls) {
	const store = await openPostgresStore(ssl === undefined ? { url } : { url, ssl });
	onTestFinished(() => store.close());
	return store;
}

it("with a root certificate the server's is checked, and everything is encrypted", async () => {
	for (const search of ["", "?sslmode=disable", "?sslmode=require"]) {
		const store = await open(`${postgres.url()}${search}`, { rootCertPath: pem("root.pem") });
		await acquiredActor(store, { actorId: `a${search}`, key: search });
		const sessions = await store.query<{ ssl: boolean }>(
			"SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'rivetkit'",
		);
		expect(sessions.length).toBeGreaterThanOrEqual(2);
		expect(sessions.every(({ ssl }) => ssl)).toBe(true);
	}
});

it.each(["", "?sslmode=no-verify", "?sslmode=disable", "?sslrootcert=/nowhere"])(
	"a server that another authority vouches for is refused, whatever the URL says (%s)",
	async (search) => {
		const opening = open(`${postgres.url()}${search}`, { rootCertPath: pem("another.pem") });
		await expect(opening).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(/certificate/),
		});
	},
);

it("a server whose certificate is for another name is refused", async () => {
	const opening = open(postgres.url().replace("127.0.0.1", "localhost"), {
		rootCertPath: pem("root.pem"),
	});
	await expect(opening).rejects.toThrow(/does not match certificate/);
});

it("a client's certificate is shown to who asks for one", async () => {
	const url = postgres.url("template1");
	await expect(open(url, { rootCertPath: pem("root.pem") })).rejects.toThrow(
		/requires a valid client certificate/,
	);
	await open(url, {
		rootCertPath: pem("root.pem"),
		clientCertPath: pem("client.pem"),
		clientKeyPath: pem("client.key"),
	});
});

it("without ssl the URL decides; a server that wants encryption says so", async () => {
	await open(`${postgres.url()}?sslmode=no-verify`);
	await expect(open(postgres.url())).rejects.toThrow(/no encryption/);
});
