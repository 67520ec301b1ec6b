import type { LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import { Sunrise, Trash2 } from "lucide-react";
import type { ReactNode } from "react";
import { useInspector, useSession } from "../api/context.tsx";
import { isGone, needsToken } from "../api/errors.ts";
import { Live } from "../api/live.tsx";
import { destroyActor } from "../api/management.ts";
import { useLife, useRefreshActor } from "../api/queries.ts";
import { useStandingError } from "../api/standing-error.ts";
import { PANELS } from "../panels/panels.ts";
import type { Route } from "../router/route.ts";
import { currentAddress, goTo, useHref } from "../router/use-address.ts";
import { Button } from "../ui/button.tsx";
import { ConfirmButton } from "../ui/confirm.tsx";
import { useCurrentInView } from "../ui/current-in-view.ts";
import { Empty, Failure, Loading } from "../ui/notice.tsx";
import { relativeTime, useNow, withDurations } from "../ui/time.tsx";
import { sayDone, sayFailed } from "../ui/toasts.tsx";
import { StatusMark } from "./actor-status.tsx";
import { actorTitle, fullActorTitle } from "./actor-title.ts";
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
	const error = useStandingError(life);
	if (isGone(error)) return <GoneActor actorId={actorId} />;
	const failure = error !== null && <ActorFailure error={error} />;
	if (life.data === undefined) return failure || <Loading what="the actor" />;
	const { Panel } = PANELS[tab];
	return (
		<>
			{failure}
			<ActorHead life={life.data} />
			<Tabs route={route} />
			<Panel actorId={actorId} life={life.data} options={options} />
		</>
	);
}

/** Above what is known still: what is typed there stays. */
function ActorFailure({ error }: { error: unknown }) {
	return needsToken(error) ? <ConnectPage error={error} /> : <Failure error={error} />;
}

function Tabs({ route }: { route: ActorRoute }) {
	const href = useHref();
	const strip = useCurrentInView(route.tab);
	return (
		<nav className="tabs" aria-label="Parts of the actor" ref={strip}>
			{Object.entries(PANELS).map(([name, { title }]) => (
				<a
					key={name}
					className="tab"
					href={href({ ...route, tab: name as ActorRoute["tab"], options: {} })}
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
	const href = useHref();
	const inspector = useInspector(life.actorId);
	const refresh = useRefreshActor(life.actorId);
	const title = fullActorTitle(life.name, life.key);
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
		const { server } = currentAddress();
		await destroyActor(session, life.actorId);
		sayDone(`${title} is destroyed`);
		const now = currentAddress();
		// Whoever is elsewhere by now stays there.
		const isHere = now.route.page === "actor" && now.route.actorId === life.actorId;
		if (isHere && now.server === server) goTo({ page: "actors", name: life.name, search: "" });
	};
	return (
		<>
			<div className="crumbs">
				<a href={href({ page: "types" })}>Actors</a>
				<span aria-hidden="true">/</span>
				<a href={href({ page: "actors", name: life.name, search: "" })}>{life.name}</a>
			</div>
			<div className="page-head">
				<h1 className="mono actor-key">{actorTitle(life.name, life.key)}</h1>
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
						title={`Destroy ${title}?`}
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
	const reasons = withDurations(awakeBecause.join("; "));
	switch (status) {
		case "awake":
			return reasons === ""
				? "Nothing keeps it awake: it sleeps when its time without work is over."
				: `Awake: ${reasons}.`;
		case "sleeping":
			return wakesAtMs === null
				? "It sleeps until somebody calls it. Looking at it does not wake it."
				: `It sleeps, and wakes ${relativeTime(wakesAtMs, now)}. Looking at it does not wake it.`;
		default:
			return reasons === "" ? phaseText(status, phase) : `${sentence(reasons)}.`;
	}
}

function phaseText(status: string, phase: string | null): string {
	return phase === null ? `It is ${status}.` : `It is ${status} (${phase}).`;
}

function sentence(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}

function GoneActor({ actorId }: { actorId: string }) {
	const href = useHref();
	return (
		<Empty title="This actor does not exist">
			<p>
				<code>{actorId}</code> was destroyed, or belongs to another server.{" "}
				<a href={href({ page: "types" })}>Go to all actors</a>.
			</p>
		</Empty>
	);
}
