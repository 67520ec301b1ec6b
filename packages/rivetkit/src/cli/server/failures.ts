import { INTERNAL_ERROR_DESCRIPTION } from "@rivetkit/protocol";
import { CommandFailed } from "../failure.ts";

/** An answer that is not a success. */
export interface FailedAnswer {
	readonly status: number;
	/** Of a structured error. */
	readonly error:
		| {
				readonly group: string;
				readonly code: string;
				readonly message: string;
				readonly metadata?: unknown;
		  }
		| undefined;
	readonly text: string;
}

/** No server answered. */
export function unreachable(endpoint: string, cause: unknown): CommandFailed {
	return new CommandFailed(
		`Cannot reach a RivetKit server at ${endpoint} (${reasonOf(cause)}); start it, or say where it is with --endpoint or RIVET_ENDPOINT.`,
		{ cause },
	);
}

/** What answered does not speak as a RivetKit server does. */
export function notOurs(endpoint: string, { status, text }: FailedAnswer): CommandFailed {
	const said = text.trim().split("\n", 1)[0]!.slice(0, 80);
	return new CommandFailed(
		`What answers at ${endpoint} is no RivetKit server (status ${status}${said && `, "${said}"`}); check --endpoint or RIVET_ENDPOINT.`,
	);
}

/** What a refused request means for whoever typed the command. */
export function refused(endpoint: string, answer: FailedAnswer): CommandFailed {
	const { status, error, text } = answer;
	if (!error) {
		if (/^Not Found \(RivetKit\)/.test(text)) {
			return new CommandFailed(NOT_THERE, { code: "not_found", group: "route" });
		}
		return notOurs(endpoint, answer);
	}
	const { group, code, message } = error;
	const said = SENTENCES[`${group}.${code}`] ?? saidByServer(message, status);
	return new CommandFailed(said, { group, code, metadata: metadataOf(error) });
}

function saidByServer(message: string, status: number): string {
	if (message === INTERNAL_ERROR_DESCRIPTION) return MASKED;
	return status >= 500 ? `${message.replace(/[.\s]+$/, "")}${SERVER_LOG}` : message;
}

/** Of an error that has any. */
function metadataOf({ metadata }: { readonly metadata?: unknown }): unknown {
	const isEmpty =
		typeof metadata === "object" && metadata !== null && Object.keys(metadata).length === 0;
	return isEmpty || metadata === null ? undefined : metadata;
}

/** What went wrong is not for callers. */
const MASKED = "Something went wrong in the actor or the server; the server's log says what.";
const SERVER_LOG = "; the server's log says more.";

const NOT_THERE =
	"The server does not have this: it is older, or its inspector is switched off (RIVET_INSPECTOR_DISABLE).";

/** Instead of the server's own words, which do not know who asks. */
const SENTENCES: Readonly<Record<string, string>> = {
	"inspector.unauthorized":
		"The inspector of this server needs a token, or has another one; give it with --inspector-token or RIVET_INSPECTOR_TOKEN, or that of the management API with --token or RIVET_TOKEN.",
	"inspector.state_changed":
		"The state has been changed since it was read (it has another etag): nothing was replaced; read it again.",
	"inspector.too_deep":
		"A value is nested so deep that it cannot be sent to this command as it is; the inspector shows it in JSON (GET /gateway/ID/inspector/…).",
	"route.not_found": NOT_THERE,
	"auth.forbidden":
		"This server needs a token, or has another one; give it with --token or RIVET_TOKEN.",
	"feature.restricted":
		"This server hands out nothing of actors' stores without a token; set one there, and give it with --token or RIVET_TOKEN.",
};

function reasonOf(cause: unknown): string {
	for (let link = cause, depth = 0; link instanceof Error && depth < 4; depth++) {
		const { code } = link as NodeJS.ErrnoException;
		if (typeof code === "string") return code;
		if (!(link.cause instanceof Error)) return link.message;
		link = link.cause;
	}
	return String(cause);
}
