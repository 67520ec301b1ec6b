import { ConfigError, type EndpointConfig, resolveEndpointConfig } from "@rivetkit/protocol";
import { UsageError } from "../failure.ts";

/** Where the server is, and what opens it. */
export interface ServerSettings extends Pick<EndpointConfig, "endpoint" | "namespace"> {
	/** Of the management API and the gateway. */
	readonly token: string | undefined;
	/** Of the inspector of all actors. */
	readonly inspectorToken: string | undefined;
}

export interface ServerOptions {
	readonly endpoint?: string | undefined;
	readonly namespace?: string | undefined;
	readonly token?: string | undefined;
	readonly "inspector-token"?: string | undefined;
}

/** Options, then the environment, then `http://127.0.0.1:6420`. Throws a {@link UsageError}. */
export function serverSettings(options: ServerOptions, env: NodeJS.ProcessEnv): ServerSettings {
	const inspectorToken = options["inspector-token"] || env.RIVET_INSPECTOR_TOKEN || undefined;
	try {
		const { endpoint, namespace, token } = resolveEndpointConfig({ ...options, env });
		return { endpoint, namespace, token, inspectorToken };
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		throw new UsageError(
			`The address of the server cannot be used: ${error.message} (--endpoint, --namespace, --token, or RIVET_ENDPOINT, RIVET_NAMESPACE, RIVET_TOKEN).`,
		);
	}
}
