import { VERSION } from "../utils/version.ts";
import type { RegistryConfig } from "./config/registry-config.ts";

/** Tells on stdout where things are (contract: api 14.3). Left out with `noWelcome`. */
export function printBanner(
	config: RegistryConfig,
	url: string,
	dataDirectory: string | null,
): void {
	const rows: [string, string][] = [["Endpoint", url]];
	if (config.dashboard.enabled) rows.push(["Dashboard", `${url.replace(/\/$/, "")}/ui/`]);
	if (config.namespace !== "default") rows.push(["Namespace", config.namespace]);
	rows.push(["Actors", `${Object.keys(config.use).length}`]);
	rows.push([
		"Data",
		dataDirectory ?? databaseOf(config) ?? "in memory, gone when the process ends",
	]);
	const width = Math.max(...rows.map(([label]) => label.length));
	const lines = rows.map(([label, value]) => `  - ${`${label}:`.padEnd(width + 2)}${value}`);
	console.log(`\n  RivetKit ${VERSION} (embedded engine)\n${lines.join("\n")}\n`);
}

/** Without user and password. */
function databaseOf({ database }: RegistryConfig): string | null {
	if (!database) return null;
	const { host, pathname } = new URL(database.postgres.url);
	return `PostgreSQL at ${host}${pathname}`;
}
