/**
 * The management API of an engine apart from any application (engine 2): namespaces, actors, runners and the
 * pools they come from. Everything is addressed by the name of a namespace; with a token, everything but what
 * says that the engine is there needs it.
 */
import {
	type ActorResponse,
	catalogueError,
	type HeadersView,
	toWireError,
} from "@rivetkit/protocol";
import type { InboundRequest } from "../gateway/inbound.ts";
import { ActorOperations } from "./actor-operations.ts";
import type { EngineApiOptions } from "./engine-api.types.ts";
import { jsonAnswer, readQuery } from "./engine-calls.ts";
import { ENGINE_OPERATIONS, type EngineOperationId, noQuery } from "./engine-contract.ts";
import type { EngineOperations } from "./engine-operations.ts";
import { NamespaceOperations } from "./namespace-operations.ts";
import { OperationTable } from "./operation-table.ts";
import { PoolOperations } from "./pool-operations.ts";
import { RunnerOperations } from "./runner-operations.ts";
import { ServerOperations } from "./server-operations.ts";

/** What needs no token (engine 2.1), or looks at it by itself. */
const OPEN: ReadonlySet<EngineOperationId> = new Set([
	"health",
	"ready",
	"metadata",
	"openapi",
	"connectRunner",
]);

const TABLE = new OperationTable<EngineOperationId>(ENGINE_OPERATIONS);

export class EngineApi {
	readonly #options: EngineApiOptions;
	readonly #operations: EngineOperations<EngineOperationId>;

	constructor(options: EngineApiOptions) {
		this.#options = options;
		this.#operations = {
			...new ServerOperations(options).operations,
			...new NamespaceOperations(options).operations,
			...new ActorOperations(options).operations,
			...new RunnerOperations(options).operations,
			...new PoolOperations(options).operations,
		};
	}

	/** Answers a request that is not for an actor. Never rejects. */
	handle(request: InboundRequest): Promise<ActorResponse> {
		return this.#answer(request).catch((error: unknown) => this.#failed(error));
	}

	async #answer(request: InboundRequest): Promise<ActorResponse> {
		const mark = request.path.indexOf("?");
		const path = mark < 0 ? request.path : request.path.slice(0, mark);
		if (path === "/") {
			return { status: 308, headers: { location: "/ui/" }, body: null };
		}
		const method = request.method === "HEAD" ? "GET" : request.method;
		const matched = TABLE.match(method, path);
		if (matched === undefined) {
			if (TABLE.knows(path)) {
				return { status: 405, headers: {}, body: null };
			}
			throw catalogueError("api.not_found");
		}
		const { operation, parameters } = matched;
		this.#checkAccess(operation, request.headers);
		const query = new URLSearchParams(mark < 0 ? "" : request.path.slice(mark));
		if (!("query" in ENGINE_OPERATIONS[operation])) readQuery(noQuery, query);
		return this.#operations[operation]({ request, parameters, query });
	}

	#checkAccess(operation: EngineOperationId, headers: HeadersView): void {
		const { access, opensCreation } = this.#options;
		const isCreation = operation === "createActor" || operation === "getOrCreateActor";
		if (!OPEN.has(operation) && !(opensCreation && isCreation)) {
			access.checkEngine(headers);
		}
	}

	#failed(error: unknown): ActorResponse {
		const wire = toWireError(error, { expose: false });
		const { errors } = this.#options;
		if (wire.group === "rivetkit") {
			errors.log(error, "a management request failed");
			const { message, statusCode } = toWireError(catalogueError("core.internal_error"), {
				expose: false,
			});
			return jsonAnswer({ group: "core", code: "internal_error", message }, statusCode);
		}
		const { group, code, message, metadata, statusCode } = wire;
		const isEmpty = metadata === undefined || metadata === null;
		return jsonAnswer({ group, code, message, ...(isEmpty ? {} : { metadata }) }, statusCode);
	}
}
