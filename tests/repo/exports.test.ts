import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { publishedPackages } from "../../scripts/lib/workspaces.ts";
import { exportedNames } from "./exported-names.ts";

/** The contract's export lists (api 1.1 to 1.5, 11, 19), values and types by entry of `rivetkit`. */
const CONTRACT: Readonly<Record<string, { readonly values: string; readonly types?: string }>> = {
	".": {
		values: `actor event queue setup Registry UserError createMemoryDriver createFileSystemDriver
			createEngineDriver createClientWithDriver createActorRouter routeWebSocket lookupInRegistry
			InlineWebSocketAdapter ActorKv KV_KEYS ALLOWED_PUBLIC_HEADERS PATH_CONNECT PATH_WEBSOCKET_PREFIX
			RegistryConfigSchema ActorsSchema DriverConfigSchema TestConfigSchema buildActorNames toUint8Array
			noopNext DocRegistryConfigSchema DocInspectorConfigSchema DocServerlessConfigSchema
			DocConfigureRunnerPoolSchema DocRunnerConfigSchema`,
		types: `ActorConfig ActorConfigInput AnyActorDefinition Actions ActorTypes RunConfig
			RunInspectorConfig WorkflowInspectorConfig InspectorUnsubscribe AuthIntent RegistryActors
			RegistryConfig RegistryConfigInput TestConfig DriverConfig ServerlessHandler FetchHandler
			LegacyStartServerOutput Client AnyClient Conn AnyConn AnyActorInstance ActorKey ActorQuery
			ActorRouter Encoding Type UserErrorOptions UniversalWebSocket RivetEvent RivetMessageEvent
			RivetCloseEvent UniversalEventSource UniversalEvent UniversalMessageEvent UniversalErrorEvent
			ActorContext ConnContext ConnInitContext CreateContext CreateVarsContext CreateConnStateContext
			BeforeConnectContext ConnectContext DisconnectContext WakeContext SleepContext DestroyContext
			StateChangeContext BeforeActionResponseContext ActionContext RunContext RequestContext
			WebSocketContext ActorContextOf ConnContextOf ConnInitContextOf CreateContextOf
			CreateVarsContextOf CreateConnStateContextOf BeforeConnectContextOf ConnectContextOf
			DisconnectContextOf WakeContextOf SleepContextOf DestroyContextOf StateChangeContextOf
			BeforeActionResponseContextOf ActionContextOf RunContextOf RequestContextOf WebSocketContextOf
			WorkflowContextOf WorkflowLoopContextOf WorkflowBranchContextOf WorkflowStepContextOf
			ActorDefinition`,
	},
	"./client": {
		values: `createClient ActorError ActorClientError ActorConnDisposed InternalError ManagerError
			MalformedResponseMessage ActorConnRaw ActorHandleRaw KV_KEYS HttpRequestError
			ActorSchedulingError isRivetErrorCode`,
		types: `Client ClientRaw ActorAccessor ActorHandle ActorConn ActorConnStatus ActorActionFunction
			ActorDefinition AnyActorDefinition GetOptions GetWithIdOptions CreateOptions QueryOptions
			CreateRequest Region Encoding EventUnsubscribe ConnectionStateCallback StatusChangeCallback
			ExtractActorsFromRegistry ExtractRegistryFromClient GetOrCreateOptions QueueSendOptions
			QueueSendResult ActorErrorCallback`,
	},
	"./workflow": {
		values: "workflow Loop",
		types: `ActorWorkflowContext WorkflowContextOf WorkflowLoopContextOf WorkflowBranchContextOf
			WorkflowStepContextOf`,
	},
	"./db": { values: "db", types: "RawAccess" },
	"./db/drizzle": { values: "db defineConfig" },
	"./test": { values: "setupTest", types: "SetupTestResult" },
	"./utils": {
		values: `sleep interval joinSignals toUint8Array bufferToArrayBuffer arrayBuffersEqual
			promiseWithResolvers setLongTimeout SinglePromiseQueue combineUrlPath detectRuntime
			getEnvUniversal httpUserAgent stringifyError assertUnreachable dbg VERSION EXTRA_ERROR_LOG`,
		types: `DeepReadonly DeepMutable LongTimeoutHandle Runtime UpgradeWebSocket GetUpgradeWebSocket`,
	},
	"./errors": {
		values: `INTERNAL_ERROR_CODE INTERNAL_ERROR_DESCRIPTION USER_ERROR_CODE isRivetErrorCode
			ActionNotFound ActionTimedOut InvalidActionRequest ActorNotFound ActorDuplicateKey ActorStopping
			ActorAborted InternalError Unreachable StateNotEnabled ConnStateNotEnabled VarsNotEnabled
			DatabaseNotEnabled InvalidStateType Unsupported FeatureNotImplemented RestrictedFeature Forbidden
			InvalidParams InvalidEncoding IncomingMessageTooLong OutgoingMessageTooLong MalformedMessage
			InvalidRequest InvalidQueryJSON MissingActorHeader RequestHandlerNotDefined
			WebSocketHandlerNotDefined InvalidRequestHandlerResponse InvalidCanSubscribeResponse
			InvalidCanPublishResponse EventPayloadInvalid QueueFull QueueMessageTooLarge QueueMessageInvalid
			QueuePayloadInvalid QueueCompletionPayloadInvalid QueueAlreadyCompleted
			QueuePreviousMessageNotCompleted QueueCompleteNotConfigured ProxyError RouteNotFound
			WebSocketsNotEnabled EndpointMismatch NamespaceMismatch ActorError`,
		types: "InternalErrorMetadata InvalidStateTypeOptions UserErrorOptions",
	},
	"./log": {
		values: `getLogger getBaseLogger configureBaseLogger configureDefaultLogger getPinoLevel
			getIncludeTarget LogLevelSchema`,
		types: "Logger LogLevel",
	},
	// Names of codecs and suites are not in the contract.
	"./inspector": { values: "" },
	"./inspector/client": { values: "" },
	"./driver-test-suite": { values: "" },
	"./serve-test-suite": { values: "" },
	"./driver-helpers": {
		values: "KEYS makeConnKey getInitialActorKvState buildManagerRouter importSqliteVfs",
		types: "ActorDriver ManagerDriver",
	},
	"./driver-helpers/websocket": { values: "importWebSocket" },
};

const SIGNATURE =
	"not listed: type of a parameter, a result or an option that users may want to name";
const OURS = "not listed: part of what we add, and documented where it is declared";
const OTHER_BACKENDS =
	"not listed by name: interfaces, constants and helpers after our own backend interface (api 19)";

const INSPECTOR =
	"codecs of the inspector protocol, client's side, with its paths, and CBOR for the data in it";
const INSPECTOR_CLIENT = `inspectorSubprotocols decodeCbor encodeCbor decodeInspectorToClient
	encodeInspectorToServer decodeTraceRange decodeWorkflowHistory INSPECTOR_COMPATIBLE_VERSION
	INSPECTOR_VERSION KV_KEY_INSPECTOR_TOKEN PATH_INSPECTOR PATH_INSPECTOR_ACTION PATH_INSPECTOR_CONNECT
	PATH_INSPECTOR_CONNECTIONS PATH_INSPECTOR_DATABASE_EXECUTE PATH_INSPECTOR_DATABASE_ROWS
	PATH_INSPECTOR_DATABASE_SCHEMA PATH_INSPECTOR_QUEUE PATH_INSPECTOR_RPCS PATH_INSPECTOR_STATE
	PATH_INSPECTOR_SUMMARY PATH_INSPECTOR_TRACES PATH_INSPECTOR_WORKFLOW_HISTORY
	PATH_INSPECTOR_WORKFLOW_REPLAY Connection Fire FireError Init InspectorToClient InspectorToServer
	InspectorVersion INSPECTOR_EXTENDED_VERSION ActorEvent applyStateSplice LogLine StateSpliced QueueMessageSummary QueueStatus Schedule TabConfig trace Uint Versioned workflow`;

/**
 * Where we differ from the contract's lists, and why. What is exported and not listed is here, and so is
 * what is listed and not exported; nothing else is.
 */
const EXPLAINED: readonly (readonly [entry: string, reason: string, names: string])[] = [
	[
		".",
		SIGNATURE,
		`ActionArguments ActionFunction ActionInput ActionMap ActorDriverContext ConnectionKind
		DatabaseKv DatabaseProvider DatabaseProviderContext EventDeclaration EventPayload EventsConfig
		QueueBody QueueCompletion QueueDeclaration QueuesConfig Undeclared KvKey KvValue KvValueTypes
		KvValueType KvKeyTypes KvKeyType KvReadOptions KvWriteOptions KvListOptions ActorOptions
		ActorOptionsInput ActorQueue CompletableQueueMessage QueueIterOptions QueueMessage
		QueueNextBatchOptions QueueNextOptions QueueSendOptions QueueTryNextBatchOptions
		QueueTryNextOptions ReceivedMessage ActorSchedule ScheduleEntry EventOptions EventToken
		QueueOptions QueueToken WebSocketListener SaveStateOptions RunnerPoolConfig RunnerPoolConfigInput`,
	],
	[
		".",
		`${OURS} (validated actions, onMigrate, c.atomic, c.cron, dead letters, c.workflow, servers of node:http)`,
		`NodeListeners NodeListenersOptions ValidatedAction MigrateContext MigrateContextOf AtomicOptions ActorCron CronEntry
		CronEveryOptions CronHistoryEntry CronSetOptions ScheduledFireInfo ScheduleFailure ScheduleOptions
		ScheduleCalls RetryOptions CatchUp Overlap DeadLetter DeadLetterOptions RedriveOptions
		ActorWorkflow WorkflowStateName WorkflowWait WorkflowStatus WorkflowHistorySegment
		WorkflowHistoryEntry WorkflowHistoryMetadata WorkflowHistory WorkflowCancelOptions
		WorkflowRecoverOptions WorkflowReplayOptions WorkflowDetails WorkflowEntryDetails
		WorkflowEntryStatus WorkflowBranchDetails WorkflowMessageDetails`,
	],
	["./client", SIGNATURE, "ActorEventSubscriber KeyInput ClientConfigInput ActionResult"],
	[
		"./client",
		`${OURS} (actions that stream)`,
		"ActorActionItems ActorActionResult ActorActionStream",
	],
	[
		"./workflow",
		"not listed in api 1.5, but in the contract of workflows (3 to 9)",
		`StrictWorkflowContext WorkflowContext WorkflowStepContext DEFAULT_MAX_RETRIES DEFAULT_RETRY_BACKOFF_BASE
		DEFAULT_RETRY_BACKOFF_MAX DEFAULT_STEP_TIMEOUT DEFAULT_LOOP_COMMIT_INTERVAL
		DEFAULT_LOOP_HISTORY_EVERY DEFAULT_LOOP_HISTORY_KEEP DEFAULT_LOOP_HISTORY_PRUNE_INTERVAL
		WORKFLOW_ERROR CriticalError RollbackError StepExhaustedError StepSerializationError JoinError
		RaceError QueueTimeoutError HistoryDivergedError EntryInProgressError RollbackCheckpointError
		RetryAfterError LoopBreak LoopContinue LoopResult StepConfig LoopConfig LoopBody
		StatefulLoopConfig JoinBranch JoinResults RaceBranch RaceResult WorkflowEntryType WorkflowError
		TryStepKind TryStepFailure TryStepResult TryStepConfig TryBlockSource TryBlockFailure
		TryBlockResult TryBlockConfig CancelledError EvictedError MessageWaitError SleepError
		StepFailedError StepTimeoutError WorkflowErrorEvent WorkflowMessage WorkflowOptions WorkflowQueue
		WorkflowQueueNextBatchOptions WorkflowQueueNextOptions WorkflowQueueSender WorkflowRun`,
	],
	[
		"./db",
		SIGNATURE,
		`DatabaseProvider DatabaseProviderContext DatabaseOptions SqlExecutor SqlParameter SqlRow
		TransactionOptions`,
	],
	["./db", SIGNATURE, "DatabaseKv SqlDatabase SqlValuesExecutor"],
	["./db", `${OURS} (an error that can be told apart)`, "SqliteError"],
	["./db/drizzle", SIGNATURE, "DrizzleAccess DrizzleKitConfig DrizzleMigrations DrizzleOptions"],
	["./db/drizzle", `${OURS} (drizzle-kit's folder without a bundler)`, "readMigrations"],
	["./test", SIGNATURE, "TestContext SetupTestOptions FakeTimeOptions TestTime"],
	["./utils", SIGNATURE, "PromiseWithResolvers"],
	["./errors", "not listed, but the base of all and what users throw", "UserError"],
	["./errors", SIGNATURE, "ActorErrorOptions"],
	["./log", SIGNATURE, "LogFunction"],

	["./inspector/client", INSPECTOR, INSPECTOR_CLIENT],
	[
		"./inspector",
		`${INSPECTOR}, and the server's side`,
		`${INSPECTOR_CLIENT} decodeInspectorToServer encodeInspectorToClient encodeTraceRange
		encodeWorkflowHistory`,
	],
	[
		"./driver-helpers",
		"not listed by name: header, path and sub-protocol constants (api 19)",
		`ALLOWED_PUBLIC_HEADERS HEADER_ACTOR_ID HEADER_ACTOR_QUERY HEADER_CALL_ID HEADER_CONN_PARAMS
		HEADER_ENCODING HEADER_NAMESPACE HEADER_RIVET_ACTOR HEADER_RIVET_TARGET HEADER_TOKEN PATH_ACTION
		PATH_CONNECT PATH_QUEUE PATH_REQUEST PATH_WEBSOCKET_BASE PATH_WEBSOCKET_PREFIX WS_PROTOCOL_ACTOR
		WS_PROTOCOL_CONN_PARAMS WS_PROTOCOL_ENCODING WS_PROTOCOL_INSPECTOR_TOKEN WS_PROTOCOL_SESSION
		WS_PROTOCOL_STANDARD WS_PROTOCOL_TARGET WS_PROTOCOL_TOKEN`,
	],
	[
		"./driver-helpers",
		OTHER_BACKENDS,
		`ActorGone FencedOff InlineWebSocketAdapter acceptWebSocket buildActorNames createActorHost
		createActorRouter createClientWithDriver lookupInRegistry noopNext routeWebSocket
		selectSubprotocol ActorAssignment ActorBackend ActorHost ActorHostOptions ActorQuery ActorRequest
		ActorResponse ActorRouter ActorSocket ActorSocketHandler ActorUpgrade ClientWithDriverOptions
		DriverConfig AcceptedSocket AcceptedSocketHandler HeadersView HostEvents HostedActors Incarnation InitialActorKvState
		InlineWebSocketOptions PlatformWebSocket PreparedMessage RequestBody ResolvedActor
		SqliteConnection SqliteEngine SqliteRow SqliteStatement SqliteValue StopIntent StorageBatch
		StorageOp StorageRange WebSocketTarget`,
	],
	[
		"./driver-test-suite",
		OTHER_BACKENDS,
		"testActorBackend BackendSetup BackendUnderTest Expectation TestFramework",
	],
	[
		"./serve-test-suite",
		OTHER_BACKENDS,
		"testServing ServeSetup ServedRegistry Expectation TestFramework",
	],
];

const words = (text: string | undefined): string[] => text?.match(/\S+/g) ?? [];

const rivetkit = publishedPackages().find(({ manifest }) => manifest.name === "rivetkit")!;
const entries = rivetkit.manifest.exports as Record<string, Record<string, string>>;

test("A2: the entries are those of the contract", () => {
	const shipped = Object.keys(entries).filter((entry) => entry !== "./package.json");
	expect(shipped.sort()).toEqual(Object.keys(CONTRACT).sort());
});

const specifiers = Object.keys(CONTRACT).map(
	(entry) => [`rivetkit${entry.slice(1)}`, entry] as const,
);

describe.each(specifiers)("A2: the exports of %s", (_specifier, entry) => {
	const listed = CONTRACT[entry]!;
	const source = join(rivetkit.dir, entries[entry]!["@rivetkit/source"]!);
	const exported = exportedNames(source);
	const explained = EXPLAINED.filter(([of]) => of === entry).flatMap(([, , names]) => words(names));

	test("differ from the contract's list by what the table explains, and by nothing else", () => {
		const [values, types] = [words(listed.values), words(listed.types)];
		// A class is a type, too; the contract means a value where it lists one.
		const given = new Set([...exported.values, ...exported.types]);
		const missing = [
			...values.filter((name) => !exported.values.has(name)),
			...types.filter((name) => !given.has(name)),
		];
		const surplus = [...given].filter((name) => !values.includes(name) && !types.includes(name));
		expect([...missing, ...surplus].sort()).toEqual([...explained].sort());
	});

	test("are what the loaded module has", async () => {
		const loaded = Object.keys((await import(/* @vite-ignore */ source)) as object);
		const { resolve } = createRequire(source);
		const whole = await Promise.all(
			[...exported.whole].map(async (name) => Object.keys((await import(resolve(name))) as object)),
		);
		const expected = new Set([...exported.values, ...whole.flat()]);
		expect(loaded.sort()).toEqual([...expected].filter((name) => name !== "default").sort());
	});
});
