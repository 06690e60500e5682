/** "Safe?": would the data survive, and does anybody know. */
import { dashboardOf } from "./dashboard.ts";
import { COLOURS } from "../../components/monitoring/thresholds.ts";
import { lines, named, queryState, state, upTo, yesOrNo } from "./panels.ts";

export const safe = dashboardOf("safe", "Safe?", "Whether the transcripts would survive, and who knows.", [
  {
    title: "Now",
    rows: [
      [
        queryState({
          title: "The database answers",
          advice: "If it does not, npm run status says what is away, and this page what to do",
          page: "status.md#the-database-does-not-answer",
          unit: "none",
          queries: [{ expression: "min(pg_up)", legend: "The database answers" }],
          steps: [
            { value: null, color: COLOURS.critical },
            { value: 1, color: COLOURS.well },
          ],
          mappings: [named({ 0: "no", 1: "yes" })],
        }),
        state({
          figure: "figures_silent_seconds",
          title: "Age of the figures",
          advice:
            "Trust no other panel while it is coloured: the reconciler's log says why nothing new is written",
        }),
        yesOrNo({
          figure: "disk_read_only",
          title: "Disk is read-only",
          advice: "Find out why on the node before you try anything else",
        }),
        state({
          figure: "raid_missing_devices",
          title: "Devices that a RAID lacks",
          advice: "Replace the device, because one more failure may lose all data",
          none: "no RAID",
        }),
        state({
          figure: "damaged_pages",
          title: "Damaged pages",
          advice: "Stop what writes, and prove what the backups hold",
        }),
      ],
    ],
  },
  {
    title: "Backups",
    rows: [
      [
        state({
          figure: "archive_behind_seconds",
          title: "Work that a loss of the disk costs",
          advice: "The backup agent's log says why archiving is behind",
          none: "no backups",
        }),
        yesOrNo({
          figure: "repository_failing",
          title: "Repository is failing",
          advice: "npm run backup -- status says what the repository answers",
          none: "no repository",
        }),
        state({
          figure: "backup_age_seconds",
          title: "Age of the newest base backup",
          advice: "Make one with npm run backup -- now, and read why the schedule made none",
          none: "no backup",
        }),
      ],
      [
        state({
          figure: "restore_proven_seconds",
          title: "Since a restore was proven",
          advice: "Prove one with npm run backup -- drill",
          none: "no backup",
        }),
        yesOrNo({
          figure: "drill_failed",
          title: "Last restore drill failed",
          advice: "npm run backup -- status has its words; its backups may be worth nothing",
          none: "no drill",
        }),
        state({
          figure: "repositories_silent_seconds",
          title: "Since the agent looked at the repositories",
          advice: "The backup agent's log says what it waits for",
          none: "no backups",
        }),
      ],
      [
        lines({
          figure: "archive_behind_seconds",
          title: "Work that a loss of the disk would have cost",
          advice:
            "Peaks above the line are longer than promised: compare them with the repository's and the network's",
          none: "no backups",
        }),
        lines({
          figure: "archive_waiting_segments",
          title: "WAL segments that wait to be archived",
          advice: "If they only grow, the disk fills up: the backup agent's log says why nothing leaves",
          page: "backups.md#when-a-repository-does-not-answer",
          none: "no backups",
        }),
      ],
    ],
  },
  {
    title: "Certificate and configuration",
    rows: [
      [
        state({
          figure: "certificate_left_seconds",
          title: "Certificate is valid for",
          advice:
            "Renew it before clients are refused; the log of the container certificate says why nobody did",
          none: "no TLS",
        }),
        state({
          figure: "certificate_overdue_seconds",
          title: "Certificate's renewal is overdue for",
          advice: "The log of the container certificate says why it was not renewed",
          none: "no TLS",
          mappings: [upTo(0, "not due")],
        }),
        yesOrNo({
          figure: "certificate_refused",
          title: "New certificate is refused",
          advice: "The log of the container certificate says what is wrong with it",
          none: "no TLS",
        }),
      ],
      [
        yesOrNo({
          figure: "configuration_refused",
          title: "Configuration is refused",
          advice: "Correct database.settings, and deploy again",
        }),
        yesOrNo({
          figure: "settings_refused",
          title: "Settings are refused",
          advice: "Correct database.settings, and deploy again, before anything restarts the server",
        }),
        yesOrNo({
          figure: "credentials_refused",
          title: "Secret has not been taken up",
          advice: "Deploy again, or correct the Secret",
        }),
      ],
    ],
  },
]);
