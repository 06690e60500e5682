/** The scripts of containers that work as the superuser. */
import { scriptFiles } from "../kubernetes/scripts.ts";

/** Scripts that every such container needs. */
export const superuserFiles = () => scriptFiles(import.meta.url, "superuser.sh", "superuser-session.sql");

/** For those that work in the database: compares its names with the wanted ones. */
export const namesFiles = () => scriptFiles(import.meta.url, "names.sql");
