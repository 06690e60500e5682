/** The scripts of containers that work as the superuser. */
import { scriptFiles } from "../kubernetes/scripts.ts";

/** The scripts of every container that works as the superuser. */
export const superuserFiles = () => scriptFiles(import.meta.url, "superuser.sh", "superuser-session.sql");

/** What those need that work in the database: the comparison of its names with the wanted ones. */
export const namesFiles = () => scriptFiles(import.meta.url, "names.sql");
