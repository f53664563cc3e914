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
    set_plan(node, names, children);
    place_before(order_.begin(), node);
}

void ReadingOrder::reorder(Node& node, const std::vector<std::string>& names) {
    unplan(node);
    std::unordered_map<std::string_view, std::uint32_t> known;
    for (std::uint32_t i = 0; i < node.children.size(); ++i) {
        known.emplace(node.children.name(i), i);
    }
    std::unordered_map<std::string_view, NodePtr> taken;
    for (const NodePtr& child : node.ahead) taken.emplace(child->path, child);
    node.ahead.clear();

    std::string path;
    for (const std::string& name : names) {
        join_path(path, node.path, name);
        if (const auto found = taken.find(path); found != taken.end()) {
            node.ahead.push_back(found->second);
            taken.erase(found);
        } else if (const auto index = known.find(name); index != known.end()) {
            node.plan.push_back(index->second);
        }
    }
    for (const auto& [_, child] : taken) forget(*child);
    untaken_ += node.untaken();
    bring_to_front(node);
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
    node.children.clear();
    node.plan.clear();
    for (const std::uint32_t i : children) {
        node.plan.push_back(static_cast<std::uint32_t>(node.plan.size()));
        node.children.add(names.name(i), EntryType::directory);
    }
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

// What is below a node comes before the node itself, which stands for its untaken children.
void ReadingOrder::bring_to_front(Node& node) {
    const auto mark = order_.insert(order_.begin(), nullptr);
    for (const NodePtr& child : node.ahead) move_before(mark, *child);
    if (node.untaken() > 0) place_before(mark, node);
    order_.erase(mark);
}

// The depth of what is ahead is within the window, and so are these recursions.
void ReadingOrder::move_before(std::list<Node*>::iterator at, Node& node) {
    for (const NodePtr& child : node.ahead) move_before(at, *child);
    if (node.placed) order_.splice(at, order_, node.place);
}

void ReadingOrder::uncount(Node& node) {
    if (!node.ahead_of_consumer) return;
    node.ahead_of_consumer = false;
    --ahead_directories_;
    ahead_bytes_ -= node.footprint;
}

}  // namespace filetree::walk
