// Helpers typed by the actor they belong to, called from inside that very actor (contract: api 4.4, A9).
import {
	type ActionContextOf,
	type ActorContextOf,
	actor,
	type BeforeActionResponseContextOf,
	type BeforeConnectContextOf,
	type ConnContextOf,
	type ConnectContextOf,
	type ConnInitContextOf,
	type CreateConnStateContextOf,
	type CreateContextOf,
	type CreateVarsContextOf,
	type DestroyContextOf,
	type DisconnectContextOf,
	event,
	type MigrateContextOf,
	type RequestContextOf,
	type RunContextOf,
	type SleepContextOf,
	type StateChangeContextOf,
	type WakeContextOf,
	type WebSocketContextOf,
} from "rivetkit";
import { expectTypeOf } from "vitest";

const room = actor({
	events: { joined: event<string>() },
	createState: (c, input: { title: string }) => {
		log(c);
		return { title: input.title, users: [] as string[] };
	},
	createVars: (c) => {
		forCreateVars(c);
		log(c);
		return { started: 0 };
	},
	createConnState: (c, params: { user: string }) => {
		forCreateConnState(c);
		forConnInit(c);
		log(c);
		return { user: params.user };
	},
	onMigrate: (c) => forMigrate(c),
	onCreate: (c) => {
		forCreate(c);
		log(c);
	},
	onWake: (c) => forWake(c),
	run: (c) => forRun(c),
	onSleep: async (c) => forSleep(c),
	onDestroy: (c) => forDestroy(c),
	onStateChange: (c) => forStateChange(c),
	onBeforeConnect: (c) => {
		forBeforeConnect(c);
		forConnInit(c);
	},
	onConnect: (c) => {
		forConnect(c);
		forConn(c);
	},
	onDisconnect: (c) => forDisconnect(c),
	onRequest: (c) => {
		forRequest(c);
		forConn(c);
		return new Response();
	},
	onWebSocket: (c) => forWebSocket(c),
	onBeforeActionResponse: (c, _name, _args, output) => {
		forBeforeActionResponse(c);
		return output;
	},
	actions: {
		join: (c, user: string) => {
			forAction(c, user);
			forConn(c);
			log(c);
		},
		leave: (c, user: string): string[] => remove(c, user),
	},
});

interface RoomState {
	title: string;
	users: string[];
}

function log(c: ActorContextOf<typeof room>) {
	expectTypeOf(c.state).toEqualTypeOf<RoomState>();
	expectTypeOf(c.vars).toEqualTypeOf<{ started: number }>();
	c.broadcast("joined", "ada");
	// @ts-expect-error not a declared event
	c.broadcast("left", "ada");
}
function forCreateVars(c: CreateVarsContextOf<typeof room>) {
	expectTypeOf(c.state).toEqualTypeOf<RoomState>();
}
function forCreateConnState(c: CreateConnStateContextOf<typeof room>) {
	expectTypeOf(c.request).toEqualTypeOf<Request | undefined>();
}
function forConnInit(c: ConnInitContextOf<typeof room>) {
	expectTypeOf(c.vars).toEqualTypeOf<{ started: number }>();
}
function forConn(c: ConnContextOf<typeof room>) {
	expectTypeOf(c.conn.state).toEqualTypeOf<{ user: string }>();
}
function forMigrate(c: MigrateContextOf<typeof room>): string {
	return c.actorId;
}
function forCreate(c: CreateContextOf<typeof room>) {
	expectTypeOf(c.state).toEqualTypeOf<RoomState>();
}
function forWake(c: WakeContextOf<typeof room>) {
	expectTypeOf(c.vars).toEqualTypeOf<{ started: number }>();
}
async function forRun(c: RunContextOf<typeof room>) {
	expectTypeOf(c.vars).toEqualTypeOf<{ started: number }>();
	// @ts-expect-error there is no connection
	c.conn;
}
async function forSleep(c: SleepContextOf<typeof room>) {
	await c.saveState();
}
function forDestroy(c: DestroyContextOf<typeof room>): string[] {
	return c.state.users;
}
function forStateChange(c: StateChangeContextOf<typeof room>): string[] {
	return c.state.users;
}
function forBeforeConnect(c: BeforeConnectContextOf<typeof room>): Request | undefined {
	return c.request;
}
function forConnect(c: ConnectContextOf<typeof room>): string {
	return c.conn.params.user;
}
function forDisconnect(c: DisconnectContextOf<typeof room>): number {
	return c.conns.size;
}
function forRequest(c: RequestContextOf<typeof room>): string | undefined {
	return c.request?.url;
}
function forWebSocket(c: WebSocketContextOf<typeof room>): string | undefined {
	return c.request?.url;
}
function forBeforeActionResponse(c: BeforeActionResponseContextOf<typeof room>): string[] {
	return c.key;
}
function forAction(c: ActionContextOf<typeof room>, user: string) {
	c.state.users.push(user);
}
function remove(c: ActionContextOf<typeof room>, user: string): string[] {
	return c.state.users.filter((other) => other !== user);
}
