#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "../walk/handle_cache.hpp"
#include "../walk/node.hpp"

namespace filetree::compare {

// One of the two trees: where it begins, and its open directories.
struct Tree {
    Tree(std::shared_ptr<FileSystem> file_system, std::string path, std::size_t capacity)
        : fs(std::move(file_system)), top(std::move(path)), open(fs, capacity) {}

    const std::shared_ptr<FileSystem> fs;
    const std::string top;
    walk::HandleCache open;
};

// A directory of one tree, kept open for as long as this lives. Empty: that side has none.
class HeldNode {
   public:
    HeldNode() = default;
    // Takes over one of node->holds.
    HeldNode(Tree& tree, walk::NodePtr node) : tree_(&tree), node_(std::move(node)) {}
    HeldNode(HeldNode&& other) noexcept = default;
    HeldNode& operator=(HeldNode&& other) noexcept {
        reset();
        tree_ = other.tree_;
        node_ = std::move(other.node_);
        return *this;
    }
    ~HeldNode() { reset(); }

    // Another hold on the same directory.
    [[nodiscard]] HeldNode again() const;
    void reset() noexcept;

    [[nodiscard]] const walk::NodePtr& node() const noexcept { return node_; }
    explicit operator bool() const noexcept { return static_cast<bool>(node_); }
    [[nodiscard]] Result<std::shared_ptr<Directory>> acquire(CallContext& context) const {
        return tree_->open.acquire(*node_, context);
    }
    [[nodiscard]] const Tree& tree() const noexcept { return *tree_; }
    // Relative to the top, which is "." itself.
    [[nodiscard]] std::string path() const;
    // Of `name` in this directory.
    [[nodiscard]] std::string path_of(std::string_view name) const;
    // Opens a directory in this one.
    [[nodiscard]] Result<HeldNode> enter(std::string name, bool follow, CallContext& context) const;

   private:
    Tree* tree_ = nullptr;
    walk::NodePtr node_;
};

// Opens the top of a tree.
[[nodiscard]] Result<HeldNode> open_top(Tree& tree, CallContext& context);

// The very same directory, so that what is below is the same, too.
[[nodiscard]] bool is_same(const HeldNode& a, const HeldNode& b);

// The depth of the ancestor that this directory is itself, when a symlink has led back to it.
[[nodiscard]] std::optional<std::int32_t> depth_of_loop(const HeldNode& place);

}  // namespace filetree::compare
