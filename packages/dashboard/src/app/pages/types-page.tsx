import type { ActorType } from "../api/management.ts";
import { useActorCounts, useActors, useTypes } from "../api/queries.ts";
import { useHref } from "../router/use-address.ts";
import { ActorIcon } from "../ui/actor-icon.tsx";
import { Empty, Failure, Loading } from "../ui/notice.tsx";
import { isAwake } from "./actor-status.tsx";
import "./pages.css";

/** All actor types of the server, with how many actors they have. */
export function TypesPage() {
	const types = useTypes();
	return (
		<>
			<div className="page-head">
				<h1>Actors</h1>
			</div>
			{types.isError && <Failure error={types.error} onRetry={() => void types.refetch()} />}
			{types.isPending && <Loading what="actor types" />}
			{types.data?.length === 0 && (
				<Empty title="There are no actors here yet">
					Actor types are listed when the server knows them: those of{" "}
					<code>setup({"{ use }"})</code>, and those that have actors.
				</Empty>
			)}
			<ul className="type-list">
				{types.data?.map((type) => (
					<li key={type.name}>
						<TypeCard type={type} />
					</li>
				))}
			</ul>
		</>
	);
}

function TypeCard({ type: { name, title, icon } }: { type: ActorType }) {
	const href = useHref();
	return (
		<a className="type-card" href={href({ page: "actors", name, search: "" })}>
			<ActorIcon icon={icon} title={title} />
			<span className="type-title truncate">{title}</span>
			<span className="type-note">
				{title !== name && <code>{name}</code>}
				{title !== name && " · "}
				<Count name={name} />
			</span>
		</a>
	);
}

/** From the metrics, where the server has some: they count without listing. */
function Count({ name }: { name: string }) {
	const counts = useActorCounts();
	if (counts.isPending) return "…";
	if (counts.isError) return <ListedCount name={name} />;
	const { awake, sleeping } = counts.data.get(name) ?? { awake: 0, sleeping: 0 };
	return countText(awake + sleeping, awake, "");
}

/** From the newest page of the list: beyond, "1,000+" is all that is worth asking for here. */
function ListedCount({ name }: { name: string }) {
	const { data } = useActors(name);
	const first = data?.pages[0];
	if (first === undefined) return "…";
	const awake = first.actors.filter(isAwake).length;
	return countText(first.actors.length, awake, first.next === null ? "" : "+");
}

function countText(total: number, awake: number, more: string): string {
	if (total === 0) return "none yet";
	const noun = total === 1 ? "actor" : "actors";
	return `${total.toLocaleString()}${more} ${noun}, ${awake.toLocaleString()}${more} awake`;
}
