#include "tree_place.hpp"

namespace filetree::compare {
namespace {

// Takes a directory that has been opened in.
Result<HeldNode> hold(Tree& tree, walk::NodePtr node, std::shared_ptr<Directory> directory,
                      CallContext& context) {
    const StatResult seen = directory->attributes(context);
    if (seen.error != 0) return Result<HeldNode>::failure(seen.error);
    node->set_attributes(seen.attributes);
    HeldNode held(tree, std::move(node));
    tree.open.keep(*held.node(), std::move(directory), false);
    return {std::move(held), 0};
}

}  // namespace

HeldNode HeldNode::again() const {
    if (!node_) return {};
    node_->holds.fetch_add(1);
    return {*tree_, node_};
}

void HeldNode::reset() noexcept {
    if (node_ && node_->holds.fetch_sub(1) == 1) tree_->open.release(*node_);
    node_ = {};
}

std::string HeldNode::path() const {
    if (!node_->parent()) return ".";
    std::string path;
    node_->append_path(path);
    return path.substr(tree_->top.size() + 1);
}

std::string HeldNode::path_of(std::string_view name) const {
    std::string path;
    node_->append_path(path);
    path.append("/").append(name);
    return path.substr(tree_->top.size() + 1);
}

Result<HeldNode> HeldNode::enter(std::string name, bool follow, CallContext& context) const {
    auto parent = acquire(context);
    if (!parent.ok()) return Result<HeldNode>::failure(parent.error);
    auto opened = follow ? parent.value->open_target(name.c_str(), context)
                         : parent.value->open(name.c_str(), context);
    if (!opened.ok()) return Result<HeldNode>::failure(opened.error);
    walk::NodePtr node(new walk::Node(node_, std::move(name), Attributes{}, nullptr));
    node->followed = follow;
    return hold(*tree_, std::move(node), std::move(opened.value), context);
}

Result<HeldNode> open_top(Tree& tree, CallContext& context) {
    auto opened = tree.fs->open(tree.top, context);
    if (!opened.ok()) return Result<HeldNode>::failure(opened.error);
    walk::NodePtr node(new walk::Node({}, tree.top, Attributes{}, nullptr));
    return hold(tree, std::move(node), std::move(opened.value), context);
}

bool is_same(const HeldNode& a, const HeldNode& b) {
    return a.node()->attributes().has_place_of(b.node()->attributes());
}

std::optional<std::int32_t> depth_of_loop(const HeldNode& place) {
    const walk::Node& node = *place.node();
    if (!node.followed) return std::nullopt;
    for (const walk::Node* above = node.parent().get(); above != nullptr;
         above = above->parent().get()) {
        if (above->attributes().has_inode_of(node.attributes())) return above->depth();
    }
    return std::nullopt;
}

}  // namespace filetree::compare
