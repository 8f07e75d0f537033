/* The connections of one program, and which of them left a session behind that was not heard. */
#include "intake/db/connection_group.h"

#include "connection_state.h"

void connection_group_join(struct connection *connection)
{
    struct connection_group *group = connection->group;
    pthread_mutex_lock(&group->mutex);
    connection->next = group->first;
    group->first = connection;
    pthread_mutex_unlock(&group->mutex);
}

void connection_group_leave(struct connection *connection)
{
    struct connection_group *group = connection->group;
    pthread_mutex_lock(&group->mutex);
    struct connection **link = &group->first;
    while (*link != connection) {
        link = &(*link)->next;
    }
    *link = connection->next;
    pthread_mutex_unlock(&group->mutex);
}

void connection_group_note_unheard(struct connection *connection, int pid)
{
    pthread_mutex_lock(&connection->group->mutex);
    if (connection->unheard_pid == 0) { /* of two it is the first that was sent something */
        connection->unheard_pid = pid;
    }
    pthread_mutex_unlock(&connection->group->mutex);
}

bool connection_is_unheard(const struct connection *connection)
{
    pthread_mutex_lock(&connection->group->mutex);
    const bool unheard = connection->unheard_pid != 0;
    pthread_mutex_unlock(&connection->group->mutex);
    return unheard;
}

bool connection_may_send(const struct connection *connection)
{
    return connection_is_open(connection) && connection_group_unheard(connection->group).pid == 0;
}

struct unheard connection_group_unheard(struct connection_group *group)
{
    struct unheard found = {0};
    pthread_mutex_lock(&group->mutex);
    for (const struct connection *each = group->first; each != NULL; each = each->next) {
        if (each->unheard_pid != 0) {
            found.pid = each->unheard_pid;
            found.application_name = each->options.application_name;
            break;
        }
    }
    pthread_mutex_unlock(&group->mutex);
    return found;
}

void connection_group_forget(struct connection_group *group, int pid)
{
    pthread_mutex_lock(&group->mutex);
    for (struct connection *each = group->first; each != NULL; each = each->next) {
        if (each->unheard_pid == pid) {
            each->unheard_pid = 0;
        }
    }
    pthread_mutex_unlock(&group->mutex);
}
