import { ApiError, UnreachableError } from "./errors.ts";
import { callApi } from "./http.ts";
import type { Session } from "./session.ts";

/** What of a session is wrong, in words, by the field that it is typed in. */
export type SessionProblems = Partial<Readonly<Record<keyof Session, string>>>;

/** The id of no actor: who may do something is asked before who it is done to is looked for. */
const NOBODY = "/actors/nobody";

/**
 * Asks a server whether it lets in who has these tokens; none is no problem. An actor's own token counts where that
 * actor is looked at. Servers that cannot be asked say nothing against any.
 *
 * @param actorId - the actor whose page is open; null for none
 */
export async function checkSession(
	session: Session,
	actorId: string | null,
	signal: AbortSignal,
): Promise<SessionProblems> {
	const refusal = async (path: string, only: Partial<Session>): Promise<unknown> => {
		try {
			await callApi({ ...session, ...only }, path, { signal });
			return null;
		} catch (error) {
			return error;
		}
	};
	const lost = await refusal("/metadata", {});
	if (lost instanceof UnreachableError) return { endpoint: `${lost.message}. Is it running?` };
	const problems: { token?: string; engineToken?: string } = {};
	if (session.token !== "") {
		const ofAll = await refusal(`${NOBODY}/export`, {});
		if (isRefusal(ofAll, "inspector.unauthorized")) {
			const ofOne =
				actorId !== null &&
				(await refusal(`/gateway/${encodeURIComponent(actorId)}/inspector/lifecycle`, {}));
			if (ofOne !== null) problems.token = wrongToken(ofAll);
		}
	}
	if (session.engineToken !== "") {
		const refused = await refusal(`${NOBODY}/kv/keys/Aw==`, { token: "" });
		if (isRefusal(refused, "auth.forbidden")) {
			problems.engineToken = "This is not the RIVET_TOKEN of this server.";
		}
	}
	return problems;
}

function isRefusal(error: unknown, name: string): error is ApiError {
	return error instanceof ApiError && error.is(name);
}

/** In the words of the server; older ones have only one. */
function wrongToken({ message }: ApiError): string {
	return message === "Unauthorized"
		? "The server refuses this token: it is not its RIVET_INSPECTOR_TOKEN."
		: message;
}
