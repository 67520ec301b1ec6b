import type { LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import { Monitor, Moon, Sun } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { useSession } from "../api/context.tsx";
import { needsToken, UnreachableError } from "../api/errors.ts";
import { useLifeBeside, useServer, useTypes } from "../api/queries.ts";
import { useIsReachable } from "../api/reachable.ts";
import { useStandingError } from "../api/standing-error.ts";
import { ActorPage } from "../pages/actor-page.tsx";
import { shortActorTitle } from "../pages/actor-title.ts";
import { ActorsPage } from "../pages/actors-page.tsx";
import { ConnectPage } from "../pages/connect-page.tsx";
import { TypesPage } from "../pages/types-page.tsx";
import type { Route } from "../router/route.ts";
import { useAddress, useHref } from "../router/use-address.ts";
import { chooseTheme, nextTheme, type Theme, useTheme } from "../theme/theme.ts";
import { IconButton } from "../ui/button.tsx";
import { Empty } from "../ui/notice.tsx";
import { ConnectionButton } from "./connection-button.tsx";
import { Sidebar } from "./sidebar.tsx";
import "./shell.css";

/** The frame of every page: header, list of actor types, and the page itself. */
export function Shell() {
	const { route } = useAddress();
	const href = useHref();
	const { session } = useSession();
	const types = useTypes();
	const server = useServer();
	const isReachable = useIsReachable(session.endpoint);
	const life = useLifeAt(route);
	const type = route.page === "actors" ? route.name : (life?.name ?? null);
	const title = titleOf(route, life);
	useEffect(() => {
		document.title = title;
	}, [title]);
	const typesError = useStandingError(types);
	const serverError = useStandingError(server);
	const refusal = typesError ?? serverError;
	const refused = needsToken(typesError) || refusal instanceof UnreachableError;
	return (
		<div className="shell">
			<button type="button" className="skip-link" onClick={skipToMain}>
				Skip to the content
			</button>
			<header className="header">
				<a className="brand" href={href({ page: "types" })}>
					<Mark />
					<span>RivetKit</span>
				</a>
				<div className="header-tools">
					<ConnectionButton
						endpoint={session.endpoint}
						version={server.data?.version ?? null}
						isLost={server.isError || !isReachable}
					/>
					<ThemeButton />
				</div>
			</header>
			<Sidebar types={types.data ?? []} current={type} isHome={route.page === "types"} />
			<main id="main" className="main" tabIndex={-1}>
				{refused && types.data === undefined ? (
					<ConnectPage error={refusal} />
				) : (
					<Page key={session.endpoint} route={route} />
				)}
			</main>
		</div>
	);
}

/** The actor that a page is about; undefined for none, and while it is not known. */
function useLifeAt(route: Route): LifecycleReport | undefined {
	const actorId = route.page === "actor" ? route.actorId : "";
	const { data } = useLifeBeside(actorId);
	return data?.actorId === actorId ? data : undefined;
}

function Page({ route }: { route: Route }): ReactNode {
	const href = useHref();
	switch (route.page) {
		case "types":
			return <TypesPage />;
		case "actors":
			return <ActorsPage key={route.name} name={route.name} search={route.search} />;
		case "actor":
			return <ActorPage key={route.actorId} route={route} />;
		case "unknown":
			return (
				<Empty title="There is no such page">
					<p>
						<code>{route.path}</code> leads nowhere.{" "}
						<a href={href({ page: "types" })}>Go to all actors</a>.
					</p>
				</Empty>
			);
	}
}

/** What is different comes first: tabs of browsers are narrow. */
function titleOf(route: Route, life: LifecycleReport | undefined): string {
	if (route.page === "actors") return `${route.name} · RivetKit`;
	if (route.page !== "actor") return "RivetKit";
	const who = life === undefined ? "actor" : shortActorTitle(life.name, life.key);
	return `${who} · ${route.tab} · RivetKit`;
}

/** A button: the hash is the route, so a link to an element would leave the page. */
function skipToMain(): void {
	document.getElementById("main")?.focus();
}

const THEME_LABELS: Readonly<Record<Theme, string>> = {
	system: "Theme: as the system",
	light: "Theme: light",
	dark: "Theme: dark",
};

function ThemeButton() {
	const theme = useTheme();
	return (
		<IconButton label={THEME_LABELS[theme]} onClick={() => chooseTheme(nextTheme(theme))}>
			{theme === "system" ? <Monitor /> : theme === "light" ? <Sun /> : <Moon />}
		</IconButton>
	);
}

function Mark() {
	return (
		<svg viewBox="0 0 32 32" aria-hidden="true" className="mark">
			<rect width="32" height="32" rx="8" />
			<path d="M10 23V9h7.2a4.4 4.4 0 0 1 1 8.7L22.5 23M10 17.8h7" />
		</svg>
	);
}
