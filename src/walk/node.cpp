#include "node.hpp"

namespace filetree::walk {

NodePtr::NodePtr(const NodePtr& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) node_->references_.fetch_add(1, std::memory_order_relaxed);
}

NodePtr::~NodePtr() {
    Node* node = node_;
    while (node != nullptr && node->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        Node* parent = node->parent_.release();
        delete node;
        node = parent;
    }
}

void Node::append_path(std::string& out) const {
    std::size_t length = 0;
    for (const Node* node = this; node != nullptr; node = node->parent_.get()) {
        length += node->name_.size() + 1;
    }
    const std::size_t begin = out.size();
    out.resize(begin + length - 1);
    std::size_t end = out.size();
    for (const Node* node = this; node != nullptr; node = node->parent_.get()) {
        end -= node->name_.size();
        node->name_.copy(out.data() + end, node->name_.size());
        if (node->parent_) out[--end] = '/';
    }
}

}  // namespace filetree::walk
