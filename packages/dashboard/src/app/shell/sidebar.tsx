import type { ActorType } from "../api/management.ts";
import { printRoute } from "../router/route.ts";
import { ActorIcon } from "../ui/actor-icon.tsx";
import { useCurrentInView } from "../ui/current-in-view.ts";

/** All actor types, one click away. */
export function Sidebar({
	types,
	current,
}: {
	types: readonly ActorType[];
	current: string | null;
}) {
	const strip = useCurrentInView(`${current} of ${types.length}`);
	return (
		<nav className="sidebar" aria-label="Actor types" ref={strip}>
			<a className="sidebar-link" href={printRoute({ page: "types" })}>
				All actors
			</a>
			<ul>
				{types.map(({ name, title, icon }) => (
					<li key={name}>
						<a
							className="sidebar-link"
							href={printRoute({ page: "actors", name, search: "" })}
							aria-current={name === current ? "page" : undefined}
						>
							<ActorIcon icon={icon} title={title} />
							<span className="truncate">{title}</span>
						</a>
					</li>
				))}
			</ul>
		</nav>
	);
}
