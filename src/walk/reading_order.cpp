#include "reading_order.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "filetree/ordered_walk.hpp"

namespace filetree::walk {

ReadingOrder::NodePtr ReadingOrder::new_claim(const std::string& path) {
    return std::make_shared<Node>(path, Node::Phase::claimed);
}

// --- the consumer comes by -----------------------------------------------------------------------

ReadingOrder::NodePtr ReadingOrder::claim(Node& parent, const std::string& path) {
    auto& ahead = parent.ahead;
    const auto found = std::find_if(ahead.begin(), ahead.end(),
                                    [&](const NodePtr& child) { return child->path == path; });
    if (found == ahead.end()) return nullptr;
    NodePtr node = *found;
    for (auto passed = ahead.begin(); passed != found; ++passed) forget(**passed);
    ahead.erase(ahead.begin(), std::next(found));
    return node;
}

void ReadingOrder::skip(Node& parent, const std::string& path) {
    if (parent.untaken() > 0 && next_path(parent) == path) advance(parent);
}

void ReadingOrder::plan_first(Node& node, const Listing& names,
                              const std::vector<std::uint32_t>& children) {
    place_before(order_.begin(), node);
    set_plan(node, names, children);
}

void ReadingOrder::reorder(Node& node, const std::vector<std::string>& names) {
    std::unordered_map<std::string_view, std::uint32_t> known;
    for (std::uint32_t i = 0; i < node.children.size(); ++i) {
        known.emplace(node.children.name(i), i);
    }
    std::unordered_map<std::string_view, NodePtr> taken;
    for (const NodePtr& child : node.ahead) {
        const bool first = taken.emplace(child->path, child).second;
        if (!first) forget(*child);  // some file systems list a name twice
    }

    std::list<Node*> place{&node};
    std::list<NodePtr> ahead;
    std::vector<std::uint32_t> plan;
    std::string path;
    for (const std::string& name : names) {
        join_path(path, node.path, name);
        if (const auto found = taken.find(path); found != taken.end()) {
            ahead.push_back(found->second);
            taken.erase(found);
        } else if (const auto index = known.find(name); index != known.end()) {
            plan.push_back(index->second);
        }
    }
    // From here on nothing throws: what goes has left the order before.
    for (const auto& [_, child] : taken) forget(*child);
    unplan(node);
    node.ahead.swap(ahead);
    node.plan.swap(plan);
    untaken_ += node.untaken();
    bring_to_front(node, place);
}

void ReadingOrder::forget(Node& node) {
    forget_below(node);
    uncount(node);
    node.phase = Node::Phase::forgotten;
}

void ReadingOrder::forget_below(Node& node) {
    unplan(node);
    for (const NodePtr& child : node.ahead) forget(*child);
    node.ahead.clear();
}

void ReadingOrder::pass_to_consumer(Node& node) {
    uncount(node);
    node.phase = Node::Phase::claimed;
}

// --- readers take and complete -------------------------------------------------------------------

ReadingOrder::NodePtr ReadingOrder::take() {
    // In front of the first with untaken children there are only those being read.
    const auto parent = std::find_if(order_.begin(), order_.end(),
                                     [](const Node* node) { return node->untaken() > 0; });
    if (parent == order_.end()) return nullptr;
    auto node = std::make_shared<Node>(next_path(**parent), Node::Phase::reading);
    (*parent)->ahead.push_back(node);
    place_before(parent, *node);
    node->ahead_of_consumer = true;
    ++ahead_directories_;
    advance(**parent);
    return node;
}

void ReadingOrder::complete(Node& node, ListedDirectory&& listed,
                            const std::vector<std::uint32_t>& children) {
    if (node.phase == Node::Phase::forgotten) {
        unplace(node);
        return;
    }
    node.listed = std::move(listed);
    node.phase = Node::Phase::ready;
    if (node.ahead_of_consumer) {
        node.footprint = node.listed.names.footprint();
        ahead_bytes_ += node.footprint;
    }
    if (!node.placed) return;  // the consumer asked for it, and says what to expect
    if (children.empty()) {
        unplace(node);
    } else {
        set_plan(node, node.listed.names, children);
    }
}

// --- plans and places ----------------------------------------------------------------------------

std::string ReadingOrder::next_path(const Node& parent) {
    std::string path;
    join_path(path, parent.path, parent.children.name(parent.plan[parent.next]));
    return path;
}

void ReadingOrder::advance(Node& parent) {
    ++parent.next;
    --untaken_;
    if (parent.untaken() == 0) unplace(parent);
}

void ReadingOrder::set_plan(Node& node, const Listing& names,
                            const std::vector<std::uint32_t>& children) {
    Listing planned;
    std::vector<std::uint32_t> plan;
    plan.reserve(children.size());
    for (const std::uint32_t i : children) {
        plan.push_back(static_cast<std::uint32_t>(plan.size()));
        planned.add(names.name(i), EntryType::directory);
    }
    node.children = std::move(planned);
    node.plan = std::move(plan);
    node.next = 0;
    untaken_ += node.untaken();
}

void ReadingOrder::unplan(Node& node) {
    untaken_ -= node.untaken();
    node.plan.clear();
    node.next = 0;
    unplace(node);
}

void ReadingOrder::place_before(std::list<Node*>::iterator at, Node& node) {
    node.place = order_.insert(at, &node);
    node.placed = true;
}

void ReadingOrder::unplace(Node& node) {
    if (node.placed) order_.erase(node.place);
    node.placed = false;
}

// What is below a node comes before the node itself, which stands for its untaken children: in the
// one place of `place`.
void ReadingOrder::bring_to_front(Node& node, std::list<Node*>& place) noexcept {
    std::list<Node*> front;
    for (const NodePtr& child : node.ahead) move_to_end(front, *child);
    if (node.untaken() > 0) {
        node.place = place.begin();
        node.placed = true;
        front.splice(front.end(), place);
    }
    order_.splice(order_.begin(), front);
}

// The depth of what is ahead is within the window, and so are these recursions.
void ReadingOrder::move_to_end(std::list<Node*>& front, Node& node) noexcept {
    for (const NodePtr& child : node.ahead) move_to_end(front, *child);
    if (node.placed) front.splice(front.end(), order_, node.place);
}

void ReadingOrder::uncount(Node& node) {
    if (!node.ahead_of_consumer) return;
    node.ahead_of_consumer = false;
    --ahead_directories_;
    ahead_bytes_ -= node.footprint;
}

}  // namespace filetree::walk
