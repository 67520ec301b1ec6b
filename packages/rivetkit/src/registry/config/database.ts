import type { NodeOptions } from "../../backends/embedded/engine.ts";
import type { ConfigIssue } from "../../config/config-error.ts";
import { type Environment, envNumber, envTextAnyCase } from "./environment.ts";
import type { DatabaseConfig, RegistryConfigInput } from "./registry-config.types.ts";

/** Variables of the contract's configuration (engine 8), with and without the wrapper. */
const PREFIXES = ["RIVET__DATABASE__POSTGRES__", "RIVET__POSTGRES__"];

/** The database server to use: what is given, or what the environment says unless a driver is given. */
export function databaseConfig(
	input: RegistryConfigInput,
	env: Environment,
): DatabaseConfig | undefined {
	const given = input.database?.postgres;
	const variable = (name: string) =>
		envTextAnyCase(env, ...PREFIXES.map((prefix) => `${prefix}${name}`));
	const url = given?.url ?? (input.driver === undefined ? variable("URL") : undefined);
	if (url === undefined) return undefined;
	const files = {
		rootCertPath: given?.ssl?.rootCertPath ?? variable("SSL__ROOT_CERT_PATH"),
		clientCertPath: given?.ssl?.clientCertPath ?? variable("SSL__CLIENT_CERT_PATH"),
		clientKeyPath: given?.ssl?.clientKeyPath ?? variable("SSL__CLIENT_KEY_PATH"),
	};
	const ssl = Object.fromEntries(Object.entries(files).filter(([, path]) => path !== undefined));
	return { postgres: { url, ...(Object.keys(ssl).length > 0 ? { ssl } : undefined) } };
}

export function nodeConfig(
	{ node = {} }: RegistryConfigInput,
	env: Environment,
	issues: ConfigIssue[],
): NodeOptions {
	const text = (name: string) => envTextAnyCase(env, `RIVET__NODE__${name}`);
	const number = (name: string, key: string, min: number, max: number) => {
		const value = text(name);
		const variable = `RIVET__NODE__${name}`;
		return envNumber({ [variable]: value }, variable, ["node", key], issues, { min, max });
	};
	const options = {
		host: node.host ?? text("HOST"),
		port: node.port ?? number("PORT", "port", 0, 65_535),
		address: node.address ?? text("ADDRESS"),
		name: node.name ?? text("NAME"),
		leaseMs: node.leaseMs ?? number("LEASE_MS", "leaseMs", 1_000, Number.MAX_SAFE_INTEGER),
	};
	return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
