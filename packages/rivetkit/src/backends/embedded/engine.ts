/** What the rest of the package needs of the engine by name; only backends know the engine itself. */
export {
	type AcceptedSocket,
	type AcceptedSocketHandler,
	assertSupportedRuntime,
	createMemoryStore,
	createSocketPair,
	DEFAULT_LIMITS,
	FetchRequest,
	fetchPreflight,
	fetchResponse,
	type ListeningServer,
	loadSqliteEngine,
	type SqliteConnection,
	type SqliteEngine,
	type SqliteRow,
	type SqliteStatement,
	type SqliteValue,
} from "@rivetkit/engine";
