import { serializeKey } from "@rivetkit/protocol";
import type { LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import { Sunrise, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { useInspector, useSession } from "../api/context.tsx";
import { isGone, needsToken } from "../api/errors.ts";
import { Live } from "../api/live.tsx";
import { destroyActor } from "../api/management.ts";
import { useLife, useRefreshActor } from "../api/queries.ts";
import { PANELS } from "../panels/panels.ts";
import { printRoute, type Route } from "../router/route.ts";
import { goTo } from "../router/use-route.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmButton } from "../ui/confirm.tsx";
import { useCurrentInView } from "../ui/current-in-view.ts";
import { Empty, Failure, Loading } from "../ui/notice.tsx";
import { relativeTime, useNow, withDurations } from "../ui/time.tsx";
import { sayDone, sayFailed } from "../ui/toasts.tsx";
import { StatusMark } from "./actor-status.tsx";
import { ConnectPage } from "./connect-page.tsx";
import "./pages.css";

type ActorRoute = Extract<Route, { page: "actor" }>;

/** One actor: who it is, why it is awake, and everything of it behind tabs. */
export function ActorPage({ route }: { route: ActorRoute }) {
	return (
		<Live actorId={route.actorId} tab={route.tab}>
			<Actor route={route} />
		</Live>
	);
}

function Actor({ route }: { route: ActorRoute }) {
	const { actorId, tab, options } = route;
	const life = useLife(actorId);
	if (isGone(life.error)) return <GoneActor actorId={actorId} />;
	if (needsToken(life.error)) return <ConnectPage error={life.error} />;
	if (life.data === undefined) {
		return life.isError ? <Failure error={life.error} /> : <Loading what="the actor" />;
	}
	const { Panel } = PANELS[tab];
	return (
		<>
			<ActorHead life={life.data} />
			{life.isError && <Failure error={life.error} />}
			<Tabs route={route} />
			<Panel actorId={actorId} life={life.data} options={options} />
		</>
	);
}

function Tabs({ route }: { route: ActorRoute }) {
	const strip = useCurrentInView(route.tab);
	return (
		<nav className="tabs" aria-label="Parts of the actor" ref={strip}>
			{Object.entries(PANELS).map(([name, { title }]) => (
				<a
					key={name}
					className="tab"
					href={printRoute({ ...route, tab: name as ActorRoute["tab"], options: {} })}
					aria-current={name === route.tab ? "page" : undefined}
				>
					{title}
				</a>
			))}
		</nav>
	);
}

function ActorHead({ life }: { life: LifecycleReport }) {
	const { session } = useSession();
	const inspector = useInspector(life.actorId);
	const refresh = useRefreshActor(life.actorId);
	const key = serializeKey(life.key);
	const wake = async () => {
		try {
			await inspector.wake();
			sayDone("The actor is awake");
		} catch (error) {
			sayFailed("The actor could not be woken", error);
		}
		refresh();
	};
	const destroy = async () => {
		await destroyActor(session, life.actorId);
		sayDone(`${life.name} ${key} is destroyed`);
		goTo({ page: "actors", name: life.name, search: "" });
	};
	return (
		<>
			<div className="crumbs">
				<a href={printRoute({ page: "types" })}>Actors</a>
				<span aria-hidden="true">/</span>
				<a href={printRoute({ page: "actors", name: life.name, search: "" })}>{life.name}</a>
			</div>
			<div className="page-head">
				<h1 className="mono actor-key">{key}</h1>
				<StatusMark status={life.status} />
				<div className="page-tools">
					<Button
						icon={<Sunrise aria-hidden="true" />}
						disabled={life.status === "awake"}
						onClick={() => void wake()}
					>
						Wake
					</Button>
					<ConfirmButton
						label="Destroy"
						title={`Destroy ${life.name} ${key}?`}
						icon={<Trash2 aria-hidden="true" />}
						onConfirm={destroy}
					>
						Its state, queue, schedules, database and everything else of it are deleted. This cannot
						be undone.
					</ConfirmButton>
				</div>
			</div>
			<p className="actor-awake">
				<Reason life={life} />
			</p>
		</>
	);
}

function Reason({ life }: { life: LifecycleReport }): ReactNode {
	const now = useNow();
	const { status, awakeBecause, failure, wakesAtMs, phase } = life;
	if (failure !== null) {
		const { message, retryAtMs } = failure;
		const again = retryAtMs > now ? relativeTime(retryAtMs, now) : "with the next call";
		return `Its last start failed: ${message}. It is tried again ${again}.`;
	}
	if (awakeBecause.length > 0) return `Awake: ${withDurations(awakeBecause.join("; "))}.`;
	if (status === "awake")
		return "Nothing keeps it awake: it sleeps when its time without work is over.";
	if (status === "sleeping") {
		return wakesAtMs === null
			? "It sleeps until somebody calls it. Looking at it does not wake it."
			: `It sleeps, and wakes ${relativeTime(wakesAtMs, now)}. Looking at it does not wake it.`;
	}
	return phase === null ? `It is ${status}.` : `It is ${status}: ${phase}.`;
}

function GoneActor({ actorId }: { actorId: string }) {
	return (
		<Empty title="This actor does not exist">
			<p>
				<code>{actorId}</code> was destroyed, or belongs to another server.{" "}
				<a href={printRoute({ page: "types" })}>Go to all actors</a>.
			</p>
		</Empty>
	);
}
