#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "filetree/walk.hpp"
#include "selection.hpp"

namespace filetree::walk {

class Node;

// A counted reference to a Node. Releasing the last one frees a chain of parents iteratively, so
// that a tree's depth never becomes a stack's depth.
class NodePtr {
   public:
    NodePtr() = default;
    explicit NodePtr(Node* adopted) noexcept : node_(adopted) {}
    NodePtr(const NodePtr& other) noexcept;
    NodePtr(NodePtr&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    NodePtr& operator=(NodePtr other) noexcept {
        std::swap(node_, other.node_);
        return *this;
    }
    ~NodePtr();

    [[nodiscard]] Node* get() const noexcept { return node_; }
    Node* operator->() const noexcept { return node_; }
    Node& operator*() const noexcept { return *node_; }
    explicit operator bool() const noexcept { return node_ != nullptr; }
    [[nodiscard]] Node* release() noexcept { return std::exchange(node_, nullptr); }

   private:
    Node* node_ = nullptr;
};

// A directory from the moment it is found until the last of its children is done. Holds a name and
// a parent, never a path: paths are made when needed.
class Node final : public WalkedDirectory {
   public:
    Node(NodePtr parent, std::string name, const Attributes& attributes,
         const ExcludedNames* excluded)
        : parent_(std::move(parent)),
          name_(std::move(name)),
          attributes_(attributes),
          depth_(parent_ ? parent_->depth_ + 1 : -1),
          excluded_(excluded) {}

    [[nodiscard]] const Attributes& attributes() const noexcept override { return attributes_; }
    [[nodiscard]] std::int32_t depth() const noexcept override { return depth_; }
    [[nodiscard]] std::uint64_t parent_inode() const noexcept override {
        return parent_ ? parent_->attributes_.inode : 0;
    }
    [[nodiscard]] std::string_view name() const noexcept override { return name_; }
    [[nodiscard]] const WalkedDirectory* above() const noexcept override { return parent_.get(); }
    void append_path(std::string& out) const override;

    [[nodiscard]] const NodePtr& parent() const noexcept { return parent_; }
    [[nodiscard]] const char* c_name() const noexcept { return name_.c_str(); }
    // What is excluded among this directory's names; null where nothing is.
    [[nodiscard]] const ExcludedNames* excluded() const noexcept { return excluded_; }
    // The top's attributes are known only once it is open.
    void set_attributes(const Attributes& attributes) noexcept { attributes_ = attributes; }

    // The listing and the ranges of names not yet done. Whoever brings it to 0 finishes the
    // directory. Starts at 1, for the listing.
    std::atomic<std::uint32_t> parts{1};
    // Reasons to keep the directory open: 1 for its own parts, 1 for each child not yet opened.
    std::atomic<std::uint64_t> holds{1};
    std::atomic<std::uint64_t> file_count{0};
    std::atomic<std::uint64_t> size_sum{0};
    std::atomic<bool> unreadable{false};
    std::atomic<bool> unopened{false};
    std::atomic<bool> vanished{false};
    // How often names in it have hung: at the second time it is given up.
    std::atomic<std::uint32_t> stalls{0};
    // Found by an earlier walk: its attributes are of then. Set before the node is shared.
    bool from_earlier_walk = false;
    // Its name may be a symlink, which is followed. Set before the node is shared.
    bool followed = false;

    // Whether nothing of it has been handed over: it could as well begin anew.
    [[nodiscard]] bool as_good_as_not_begun() const noexcept {
        return parts.load() == 1 && file_count.load() == 0 && !unreadable.load();
    }

   private:
    friend class NodePtr;
    friend class HandleCache;
    ~Node() = default;

    std::atomic<std::uint32_t> references_{1};
    NodePtr parent_;
    std::string name_;
    Attributes attributes_;
    std::int32_t depth_;
    const ExcludedNames* excluded_;

    // Guarded by HandleCache's mutex: the open directory, and its place among the evictable ones.
    std::shared_ptr<Directory> handle_;
    Node* newer_ = nullptr;
    Node* older_ = nullptr;
    bool evictable_ = false;
    bool streaming_ = false;
};

}  // namespace filetree::walk
