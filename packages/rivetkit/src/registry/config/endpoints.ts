import { ConfigError, parseEndpoint, resolveEndpointConfig } from "@rivetkit/protocol";
import type { ConfigIssue } from "../../config/config-error.ts";
import { type Environment, envText } from "./environment.ts";
import type { RegistryConfig, RegistryConfigInput } from "./registry-config.types.ts";

export type BackendEndpoint = Pick<RegistryConfig, "endpoint" | "namespace" | "token">;
export type PublicEndpoint = Pick<
	RegistryConfig["serverless"],
	"publicEndpoint" | "publicNamespace" | "publicToken"
>;

/** Where the engine is; problems go to `issues`. */
export function backendEndpoint(
	input: RegistryConfigInput,
	env: Environment,
	issues: ConfigIssue[],
): BackendEndpoint {
	const nothing: BackendEndpoint = { endpoint: undefined, namespace: "default", token: undefined };
	const variable = input.endpoint ? undefined : variableOf(env, "RIVET_ENGINE", "RIVET_ENDPOINT");
	return collect(issues, variable, nothing, () => {
		const { endpoint, namespace, token, explicit } = resolveEndpointConfig({ ...input, env });
		return { endpoint: explicit ? endpoint : undefined, namespace, token };
	});
}

/** Where browsers connect; `namespace` is the backend's, which must be the same. */
export function publicEndpoint(
	serverless: NonNullable<RegistryConfigInput["serverless"]>,
	namespace: string,
	env: Environment,
	issues: ConfigIssue[],
): PublicEndpoint {
	const path = ["serverless", "publicEndpoint"];
	const text = serverless.publicEndpoint || envText(env, "RIVET_PUBLIC_ENDPOINT");
	const separateToken = serverless.publicToken || envText(env, "RIVET_PUBLIC_TOKEN");
	const nothing: PublicEndpoint = {
		publicEndpoint: undefined,
		publicNamespace: undefined,
		publicToken: separateToken,
	};
	if (!text) return nothing;
	const variable = serverless.publicEndpoint ? undefined : variableOf(env, "RIVET_PUBLIC_ENDPOINT");
	return collect(issues, variable, nothing, () => {
		const parsed = parseEndpoint(text, path);
		if (parsed.token !== undefined && separateToken !== undefined) {
			issues.push({
				path: ["serverless", "publicToken"],
				message: "cannot specify token both in endpoint URL and as a separate config option",
			});
		}
		if (parsed.namespace !== undefined && parsed.namespace !== namespace) {
			issues.push({
				path,
				message: `the namespace of the public endpoint, "${parsed.namespace}", differs from the backend's, "${namespace}"`,
			});
		}
		return {
			publicEndpoint: parsed.endpoint,
			publicNamespace: namespace,
			publicToken: parsed.token ?? separateToken,
		};
	});
}

/** The result of `read`, or `otherwise` and the issues it threw; `variable` is where the endpoint stands, if in one. */
function collect<T>(
	issues: ConfigIssue[],
	variable: string | undefined,
	otherwise: T,
	read: () => T,
): T {
	try {
		return read();
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		for (const issue of error.issues) {
			const isOfVariable = variable !== undefined && issue.path.at(-1)?.match(/endpoint$/i);
			issues.push(isOfVariable ? { ...issue, variable, message: withForm(issue.message) } : issue);
		}
		return otherwise;
	}
}

function withForm(message: string): string {
	return `${message}; it looks like http://[namespace[:token]@]host[:port][/path], or https`;
}

function variableOf(env: Environment, ...names: readonly string[]): string | undefined {
	return names.find((name) => env[name]);
}
