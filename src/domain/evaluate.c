/* What answers come to: scores with their bands, flags, and the age that a range stands for. */
#include "intake/domain/questionnaire.h"

#include "intake/domain/answer_tree.h"

int questionnaire_derived_age(const struct questionnaire *questionnaire, const json_t *body)
{
    struct answer_tree tree;
    int age = -1;
    if (!json_is_object(body) ||
        answer_tree_from_flat(&tree, questionnaire, body, NULL, NULL) != STATUS_OK) {
        return -1;
    }
    answer_tree_enable(&tree);
    for (uint32_t n = 0; n < tree.count && age < 0; n++) {
        struct answer_value value;
        if (tree.nodes[n].kind == NODE_ANSWER && tree.nodes[n].enabled &&
            questionnaire->items[tree.nodes[n].item].options_count > 0 &&
            answer_tree_value(&tree, n, &value)) {
            const struct option *option = answer_option(questionnaire, tree.nodes[n].item, &value);
            age = option == NULL ? -1 : (int)option->derived_age;
        }
    }
    answer_tree_finish(&tree);
    return age;
}
