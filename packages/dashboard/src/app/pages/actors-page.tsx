import { parseKey } from "@rivetkit/protocol";
import { RefreshCw } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { ActorRecord } from "../api/management.ts";
import { LISTED_ACTORS_MAX, POLLED_ACTORS_MAX, useActors, useTypes } from "../api/queries.ts";
import { actorRoute } from "../router/route.ts";
import { replaceRoute, useHref } from "../router/use-address.ts";
import { ActorIcon } from "../ui/actor-icon.tsx";
import { Button } from "../ui/button.tsx";
import { TextInput } from "../ui/field.tsx";
import { Empty, Failure, Loading } from "../ui/notice.tsx";
import { Ago } from "../ui/time.tsx";
import { VirtualList } from "../ui/virtual-list.tsx";
import { StatusMark, statusOf } from "./actor-status.tsx";
import { matchingActors } from "./matching-actors.ts";
import "./pages.css";

/** The actors of one type: by key, with status, found as one types. */
export function ActorsPage({ name, search }: { name: string; search: string }) {
	const types = useTypes();
	const type = types.data?.find((one) => one.name === name);
	const title = type?.title ?? name;
	const isUnknown = types.isSuccess && type === undefined;
	const list = useActors(name);
	const { data, hasNextPage, isFetchingNextPage, isFetchNextPageError, isFetching, fetchNextPage } =
		list;
	const actors = useMemo(() => data?.pages.flatMap((page) => page.actors) ?? [], [data]);
	const [status, setStatus] = useState("all");
	// The rest is loaded behind the first page, so that a search finds every actor.
	useEffect(() => {
		const isWanted = hasNextPage && actors.length < LISTED_ACTORS_MAX;
		if (isWanted && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
	}, [hasNextPage, isFetchingNextPage, isFetchNextPageError, actors.length, fetchNextPage]);
	const found = useMemo(() => matchingActors(actors, search, status), [actors, search, status]);
	return (
		<>
			<div className="page-head">
				<ActorIcon icon={type?.icon ?? null} title={title} />
				<h1>{title}</h1>
				{title !== name && <code className="muted">{name}</code>}
			</div>
			<section className="panel" aria-label={`Actors of type ${title}`}>
				<div className="toolbar">
					<TextInput
						type="search"
						aria-label="Search by key or id"
						placeholder="Search by key or id"
						value={search}
						onChange={({ target }) => replaceRoute({ page: "actors", name, search: target.value })}
					/>
					<select
						className="select"
						aria-label="Status"
						value={status}
						onChange={({ target }) => setStatus(target.value)}
					>
						<option value="all">Any status</option>
						<option value="awake">Awake</option>
						<option value="sleeping">Sleeping</option>
						<option value="failing">Failing</option>
					</select>
					<span className="toolbar-note numeric" aria-live="polite">
						{summary(found.length, actors.length, hasNextPage)}
					</span>
					{actors.length > POLLED_ACTORS_MAX && (
						<Button
							icon={<RefreshCw aria-hidden="true" />}
							disabled={isFetching}
							onClick={() => void list.refetch()}
						>
							Refresh
						</Button>
					)}
				</div>
				{list.isError && <Failure error={list.error} onRetry={() => void list.refetch()} />}
				{list.isPending && <Loading what="actors" />}
				{list.isSuccess && found.length === 0 && (
					<Empty title={emptyTitle(actors.length > 0, isUnknown)}>
						{isUnknown && actors.length === 0 ? (
							<>
								The server has no <code>{name}</code> in <code>setup({"{ use }"})</code>.
							</>
						) : actors.length === 0 ? (
							<>
								An actor is made when a client first asks for its key, for example{" "}
								<code>client.{name}.getOrCreate(["main"])</code>.
							</>
						) : (
							"Search looks at keys and ids of actors that are not destroyed."
						)}
					</Empty>
				)}
				{found.length > 0 && (
					<>
						<div className="actor-row actor-row-head" aria-hidden="true">
							<span>Key</span>
							<span>Status</span>
							<span>Created</span>
							<span>Id</span>
						</div>
						<VirtualList items={found} label="Actors" keyOf={(actor) => actor.actor_id}>
							{(actor) => <ActorRow actor={actor} />}
						</VirtualList>
					</>
				)}
			</section>
		</>
	);
}

function emptyTitle(isSearch: boolean, isUnknown: boolean): string {
	if (isSearch) return "No actor matches";
	return isUnknown ? "There is no such actor type" : "No actor of this type yet";
}

function ActorRow({ actor }: { actor: ActorRecord }) {
	const href = useHref();
	return (
		<a className="actor-row" href={href(actorRoute(actor.actor_id))}>
			<code className="truncate">
				{parseKey(actor.key).length === 0 ? <span className="muted">no key</span> : actor.key}
			</code>
			<StatusMark status={statusOf(actor)} />
			<Ago ms={actor.create_ts} />
			<code className="truncate muted">{actor.actor_id}</code>
		</a>
	);
}

function summary(found: number, all: number, isMore: boolean): string {
	const total = `${all.toLocaleString()}${isMore ? "+" : ""}`;
	if (found !== all) return `${found.toLocaleString()} of ${total} actors`;
	return all === 1 && !isMore ? "1 actor" : `${total} actors`;
}
