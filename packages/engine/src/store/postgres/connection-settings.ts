import { readFile } from "node:fs/promises";
import type { ClientConfig } from "pg";
import { StoreError } from "../store.ts";

/** Where a PostgreSQL is and how to reach it (engine 8). */
export interface PostgresSettings {
	/**
	 * `postgres://user:password@host:5432/database`, with `?sslmode=require` and the like. It must lead to
	 * PostgreSQL itself: a pooler in front is refused.
	 */
	readonly url: string;
	/**
	 * Files (PEM) for TLS, which is then required, whatever the URL says of it (`sslmode` and the like). With a root
	 * certificate the server's is checked against it, and has to be for the host in the URL; without one it is not
	 * checked. Default: as the URL says.
	 */
	readonly ssl?: PostgresTls;
}

export interface PostgresTls {
	readonly rootCertPath?: string;
	readonly clientCertPath?: string;
	readonly clientKeyPath?: string;
}

/** The address for messages: without user and password. */
export function addressOf(url: string): string {
	try {
		const { protocol, host, pathname } = new URL(url);
		return `${protocol}//${host}${pathname}`;
	} catch {
		return "postgres://(no valid URL)";
	}
}

/**
 * What the driver is told. Rejects with a `StoreError` (`failed`) for a URL that is none, and for a
 * certificate that cannot be read.
 */
export async function clientConfig(settings: PostgresSettings): Promise<ClientConfig> {
	const address = addressOf(settings.url);
	if (!/^postgres(?:ql)?:\/\//.test(settings.url) || !URL.canParse(settings.url)) {
		throw new StoreError(
			"failed",
			address,
			"The URL of PostgreSQL must look like postgres://user:password@host:5432/database " +
				"(database.postgres.url, RIVET__DATABASE__POSTGRES__URL)",
		);
	}
	const { url, ssl } = settings;
	return ssl === undefined
		? { connectionString: url }
		: { connectionString: withoutTls(url), ssl: await tlsOf(ssl, address, new URL(url).hostname) };
}

/** The driver would let what the URL says of TLS win over the files, down to not checking anything. */
function withoutTls(url: string): string {
	const bare = new URL(url);
	for (const name of [...bare.searchParams.keys()]) {
		if (name.startsWith("ssl")) {
			bare.searchParams.delete(name);
		}
	}
	return bare.href;
}

async function tlsOf(ssl: PostgresTls, address: string, host: string) {
	const file = (path: string | undefined) =>
		path === undefined
			? undefined
			: readFile(path, "utf8").catch((error: unknown) => {
					throw new StoreError(
						"failed",
						address,
						`Cannot read ${path} for the connection to ${address} (database.postgres.ssl): ${(error as Error).message}`,
						{ cause: error },
					);
				});
	const [ca, cert, key] = await Promise.all([
		file(ssl.rootCertPath),
		file(ssl.clientCertPath),
		file(ssl.clientKeyPath),
	]);
	return {
		// Whom the certificate must be for; the driver says it of names alone, not of addresses.
		host: host.replace(/^\[|\]$/g, ""),
		rejectUnauthorized: ca !== undefined,
		...(ca === undefined ? undefined : { ca }),
		...(cert === undefined ? undefined : { cert }),
		...(key === undefined ? undefined : { key }),
	};
}
