//! The stories: one sentence a file, told with a real agent, a real kernel, real containers and a real collector. A machine that cannot
//! tell one says `skipped: <what is missing>`.

mod a_container_that_lived_50_ms_is_attributed;
mod a_container_that_only_starts_raises_nothing;
mod a_containers_first_program_is_seen_from_the_agents_first_moment;
mod a_crashed_agent_resends_and_nothing_is_twice;
mod a_failed_action_is_undone;
mod a_key_seen_in_a_process_is_joined_to_its_use;
mod a_lost_record_is_in_the_report;
mod a_node_says_which_hooks_work;
mod a_pod_of_containerd_is_named_over_its_own_interface;
mod a_replay_says_so_and_nothing_is_done;
mod a_session_is_joined_to_the_one_that_asked_for_it;
mod a_stolen_role_is_joined_to_its_pod;
mod a_stopped_process_whose_record_was_lost_is_captured;
mod an_agent_killed_at_any_moment_goes_on_without_a_hole;
mod an_exec_by_kubectl_is_joined_to_the_person;
mod an_exec_in_a_container_becomes_a_report;
mod bundle;
mod containment_waits_for_approval;
mod skip;
mod tampered_evidence_is_refused;
mod the_minutes_before_the_trigger_are_in_the_evidence;
mod the_same_case_prints_the_same_report;
mod the_stage_is_set;
mod what_happens_while_the_agent_restarts_is_told;
