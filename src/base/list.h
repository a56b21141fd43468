/* Intrusive doubly linked list: the links live in the elements, so linking and unlinking are O(1)
 * and allocate nothing. A list head and an unlinked element both point at themselves. */
#ifndef HEATCAST_BASE_LIST_H
#define HEATCAST_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

#define list_entry(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* Walks a list whose current element may be unlinked (or freed) by the body. */
#define list_for_each_safe(link, following, head)                                                  \
    for (struct list *link = (head)->next, *following = link->next; link != (head);                \
         link = following, following = link->next)

static inline void list_init(struct list *list)
{
    list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_push_back(struct list *head, struct list *link)
{
    link->next = head;
    link->previous = head->previous;
    head->previous->next = link;
    head->previous = link;
}

/* Does nothing to an element that is in no list. */
static inline void list_remove(struct list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    list_init(link);
}

/* Puts all elements behind those of another list. */
static inline void list_move_all(struct list *from, struct list *to)
{
    while (!list_is_empty(from)) {
        struct list *link = from->next;
        list_remove(link);
        list_push_back(to, link);
    }
}

#endif
