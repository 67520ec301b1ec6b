import type { ActorType } from "../api/management.ts";
import { useActors, useTypes } from "../api/queries.ts";
import { printRoute } from "../router/route.ts";
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
	return (
		<a className="type-card" href={printRoute({ page: "actors", name, search: "" })}>
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

/** Of the newest page: "over 1,000" is all that is worth asking for here. */
function Count({ name }: { name: string }) {
	const { data } = useActors(name);
	const first = data?.pages[0];
	if (first === undefined) return "…";
	const total = first.actors.length;
	if (total === 0) return "none";
	const awake = first.actors.filter(isAwake).length;
	const more = first.next === null ? "" : "+";
	return `${total.toLocaleString()}${more} · ${awake.toLocaleString()}${more} awake`;
}
