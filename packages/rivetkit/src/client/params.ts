import { ActorError, describeCause } from "./errors.ts";

/** Connection params as a handle was given them: a value, or a function asked for each connection. */
export interface ParamsSource {
	readonly params?: unknown;
	readonly getParams?: (() => unknown) | undefined;
}

/** The params of one new connection. `client.get_params_failed` when `getParams` fails. */
export async function connectionParams(source: ParamsSource): Promise<unknown> {
	if (!source.getParams) return source.params;
	try {
		return await source.getParams();
	} catch (error) {
		throw new ActorError(
			"client",
			"get_params_failed",
			`getParams failed: ${describeCause(error)}`,
			undefined,
			{ cause: error },
		);
	}
}
