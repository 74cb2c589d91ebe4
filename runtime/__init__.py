"""The agent: ask the model, check the call, run the tool, remember it.

    session = …                                    # sandbox.opening.prepare(…)
    async with opened(session, engine) as sandbox:
        async with agent_for(
            session,
            sandbox,
            model=ModelChoice(name="sonnet"),      # for a scripted model: base_url=server.url, api_key="scripted"
            bounds=Bounds(mode="default", max_turns=20, max_dollars=1.0),
            places=Places(checkout=Path("/home/me/project"), user=Path.home() / ".claude"),
        ) as agent:
            finished = await agent.run("fix the failing test", emit)    # emit: Callable[[Event], None]
            again = await agent.run("now the other one", emit)          # the same conversation goes on

Loading the SDK takes a second: `runtime.model.warm()`, called early, lets it pass while the engine is found
(`agent_for` calls it as well). `agent_for` is in `runtime.agent`, the values in `runtime.settings`, the events in
`runtime.events`. Opening an agent on a session that has a transcript continues it. `agent.interrupt()` ends the turn in
order from the same event loop; cancelling the task leaves a transcript that can be continued as well. `agent.total` is
the session's `Usage` so far. `run` never raises for a failed model or sandbox: `Finished.outcome` and `.error` say it.
A rehearsal: `with ScriptServer(load_script(path), cwd=str(checkout)) as server: …` (`runtime.script`).
stream-json: `lines(event, session_id=…)` (`runtime.stream_json`).
"""
