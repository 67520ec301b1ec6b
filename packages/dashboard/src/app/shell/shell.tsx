import { Monitor, Moon, Sun } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { useSession } from "../api/context.tsx";
import { needsToken, UnreachableError } from "../api/errors.ts";
import { useLife, useServer, useTypes } from "../api/queries.ts";
import { useIsReachable } from "../api/reachable.ts";
import { ActorPage } from "../pages/actor-page.tsx";
import { ActorsPage } from "../pages/actors-page.tsx";
import { ConnectPage } from "../pages/connect-page.tsx";
import { TypesPage } from "../pages/types-page.tsx";
import { printRoute, type Route } from "../router/route.ts";
import { useRoute } from "../router/use-route.ts";
import { chooseTheme, nextTheme, type Theme, useTheme } from "../theme/theme.ts";
import { IconButton } from "../ui/button.tsx";
import { Empty } from "../ui/notice.tsx";
import { ConnectionButton } from "./connection-button.tsx";
import { Sidebar } from "./sidebar.tsx";
import "./shell.css";

/** The frame of every page: header, list of actor types, and the page itself. */
export function Shell() {
	const route = useRoute();
	const { session } = useSession();
	const types = useTypes();
	const server = useServer();
	const isReachable = useIsReachable(session.endpoint);
	const type = useTypeOf(route);
	const refused =
		needsToken(types.error) || (types.error ?? server.error) instanceof UnreachableError;
	return (
		<div className="shell">
			<button type="button" className="skip-link" onClick={skipToMain}>
				Skip to the content
			</button>
			<header className="header">
				<a className="brand" href={printRoute({ page: "types" })}>
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
			<Sidebar types={types.data ?? []} current={type} />
			<main id="main" className="main" tabIndex={-1}>
				{refused && types.data === undefined ? (
					<ConnectPage error={types.error ?? server.error} />
				) : (
					<Page route={route} />
				)}
			</main>
		</div>
	);
}

/** The actor type that a page is about; null for none. */
function useTypeOf(route: Route): string | null {
	const actorId = route.page === "actor" ? route.actorId : "";
	const life = useLife(actorId, actorId !== "");
	if (route.page === "actors") return route.name;
	return route.page === "actor" ? (life.data?.name ?? null) : null;
}

function Page({ route }: { route: Route }): ReactNode {
	const title = titleOf(route);
	useEffect(() => {
		document.title = title;
	}, [title]);
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
						<code>{route.path}</code> leads nowhere. <a href="#/">Go to all actors</a>.
					</p>
				</Empty>
			);
	}
}

function titleOf(route: Route): string {
	if (route.page === "actors") return `${route.name} · RivetKit`;
	return route.page === "actor" ? `${route.tab} · actor · RivetKit` : "RivetKit";
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
